"""Composer: the text field, its drafts, and the outbox."""
