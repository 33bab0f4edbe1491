"""ASGI and event middleware of the app: guard, headers, base path, and checks of event arguments."""
