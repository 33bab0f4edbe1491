"""Service of the process, sessions of the tabs, and the API bound to its caller."""
