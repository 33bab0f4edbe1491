"""The database: one writer, short transactions, and every write guarded by state and fence."""
