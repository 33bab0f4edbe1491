"""Fit a request to the rules of its provider."""
