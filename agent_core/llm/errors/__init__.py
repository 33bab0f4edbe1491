"""Classify the errors of providers, and extract their messages."""
