"""The clients that nobody here wrote, in Node, against a server in a process of its own."""
