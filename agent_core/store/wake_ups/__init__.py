"""Wake-ups as rows: enqueue, lease and release them."""
