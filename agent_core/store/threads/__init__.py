"""Transactions of threads, messages, files and deltas."""
