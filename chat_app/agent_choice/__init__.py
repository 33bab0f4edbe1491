"""Which agent and model answers: the picker, and the defaults of new chats."""
