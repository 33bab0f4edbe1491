"""Open thread of a tab: its rows, read through a subscription, and its live text."""
