"""Connections, transactions, tables and the writer."""
