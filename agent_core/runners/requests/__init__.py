"""Build the request of a model step: history, files and context window."""
