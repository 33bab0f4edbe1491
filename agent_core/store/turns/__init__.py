"""Transactions of turns, model steps, streams and branches."""
