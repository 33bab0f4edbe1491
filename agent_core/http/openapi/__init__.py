"""Describe the HTTP API: an OpenAPI 3.1 document, and a page that shows it."""
