"""The process's service, the tab, and the API bound to who asks."""
