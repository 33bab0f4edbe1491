"""Read the answers of providers, with a reader for each format."""
