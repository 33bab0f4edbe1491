"""Classify the errors of providers and word them."""
