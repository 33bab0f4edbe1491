"""Pages of settings and usage."""
