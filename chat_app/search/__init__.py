"""The dialog of Ctrl+K."""
