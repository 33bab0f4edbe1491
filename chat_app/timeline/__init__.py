"""The run drawer: turns, spans and activity."""
