"""The text field, its drafts, and the outbox."""
