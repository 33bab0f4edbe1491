"""Third-party clients in Node, against a server in a separate process."""
