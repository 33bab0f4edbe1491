"""Transactions of schedules and their runs."""
