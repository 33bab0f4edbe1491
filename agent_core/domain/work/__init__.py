"""Values and rules of work: its keys, its fair shares, and suspicion after a crash. No I/O."""
