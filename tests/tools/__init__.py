"""Tools for the tests: find or install Chromium, nginx, PostgreSQL, a newer Python and Redis, and take the README's pictures."""
