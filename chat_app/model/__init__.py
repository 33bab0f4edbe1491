"""Choice of the model that answers, and options of its answers."""
