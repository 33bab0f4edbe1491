"""Read the answers of turns, and tell them to clients: items in order, numbers of events, outcomes."""
