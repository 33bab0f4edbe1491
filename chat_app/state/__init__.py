"""What the pages show, and what their buttons do. Nothing here must survive: rows are the truth."""
