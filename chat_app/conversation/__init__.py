"""Page of a thread: top bar, column of messages, status of the turn, scrolling."""
