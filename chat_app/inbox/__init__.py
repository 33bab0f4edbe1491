"""What waits for a person, in any thread."""
