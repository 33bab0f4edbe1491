"""Messages: their parts, actions and editing."""
