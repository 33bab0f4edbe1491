"""Run drawer: turns, spans and activity."""
