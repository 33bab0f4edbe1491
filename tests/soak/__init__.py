"""Soak tests: an hour of light work on a server without restarts, to find leaks."""
