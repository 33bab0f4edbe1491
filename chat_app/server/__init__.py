"""Start the app from the command line: check, build the pages, serve."""
