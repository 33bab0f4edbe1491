"""Demo without set-up: an agent, its tools, and a model that needs no key."""
