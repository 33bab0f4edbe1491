"""Transactions of tool calls: attempts, approvals and outcomes."""
