"""Methods for those who run the application: limits, budgets, the outbox, and what belongs to everybody."""
