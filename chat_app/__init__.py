"""The chat app: pages on top of agent_core."""
