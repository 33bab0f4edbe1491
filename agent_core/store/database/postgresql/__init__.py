"""What is PostgreSQL's own: the writer's connection, its pipeline, the server's errors, and poolers in between."""
