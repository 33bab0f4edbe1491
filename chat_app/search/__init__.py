"""Search dialog, which Ctrl+K opens."""
