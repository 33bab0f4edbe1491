"""What the app shows without any set-up: an agent, its tools, and a model that needs no key."""
