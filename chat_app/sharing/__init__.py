"""The read-only page of a shared thread."""
