"""Methods for those who run the application: limits, budgets and the outbox."""
