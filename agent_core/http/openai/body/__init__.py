"""Read the bodies of requests: their parameters, their messages, and what these ask of the turn."""
