"""One tool call: its row, its approval card, its question."""
