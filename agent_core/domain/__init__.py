"""Values of the domain and the rules they follow: messages, states, spans, usage. No I/O."""
