"""Choice of agent and model: the picker, and the defaults of new chats."""
