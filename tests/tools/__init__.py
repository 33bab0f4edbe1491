"""Tools for the tests: find or install Chromium, nginx, PostgreSQL and Redis, and take the README's pictures."""
