"""The page of a thread: top bar, column of messages, state of the turn, scrolling."""
