"""Events: of runs, for observers, and of threads, for the outbox."""
