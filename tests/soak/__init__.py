"""An hour of light work: what a server that nobody restarts gathers, and whether it stops gathering."""
