"""A tab's open thread: its rows from the subscription, and its live text."""
