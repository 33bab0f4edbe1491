"""Starting the app from the command line: look before serving, build the pages, serve."""
