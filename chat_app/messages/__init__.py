"""One message: its parts, its actions, its editing."""
