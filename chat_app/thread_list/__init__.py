"""Thread list: its feed, patches, rows and menu."""
