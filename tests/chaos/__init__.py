"""Real processes that die at random or at a named point, and the count of what that cost."""
