"""Store, lease and release wake-ups."""
