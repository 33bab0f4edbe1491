"""Tools for the tests: find or install Chromium, nginx and PostgreSQL, and take the README's pictures."""
