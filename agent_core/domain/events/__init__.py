"""What happened, as values: to a run for observers, and to a thread for the outbox."""
