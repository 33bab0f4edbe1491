"""Reports read from rows: timeline, usage and activity."""
