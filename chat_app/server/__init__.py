"""Start of the app from the command line: checks, build of the pages, server."""
