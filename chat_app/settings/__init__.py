"""Pages of the settings and of the usage."""
