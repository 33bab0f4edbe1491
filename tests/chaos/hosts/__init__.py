"""Workers on several hosts, which are killed, and whose database fails."""
