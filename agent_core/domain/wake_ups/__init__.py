"""Define the keys of wake-ups, their fair shares and the suspicion after a crash. No I/O."""
