"""MCP servers that administrators add on the admin page; their tools are those of the app's own agent."""
