"""Write, deliver and keep the events of the outbox."""
