"""The list of threads: its feed, patches, rows and menu."""
