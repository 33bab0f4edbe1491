"""Views of a tool call: its row, approval card and question."""
