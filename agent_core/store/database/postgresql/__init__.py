"""PostgreSQL: the writer's connection, its pipeline, the server's errors, and the refusal of poolers."""
