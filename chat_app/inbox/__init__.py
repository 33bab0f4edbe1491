"""Inbox of the tool calls that wait for a user, in any thread."""
