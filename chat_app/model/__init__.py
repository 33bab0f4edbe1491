"""Which model answers, and with which options."""
