"""Plain text: reduce, decode and redact it."""
