"""Consistent reads, off the event loop."""
