"""Read-only page of a shared thread."""
