"""Chaos tests: kill real processes at random or at a named point, and count losses and repetitions."""
