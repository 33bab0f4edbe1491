"""The pages: a route, what to load, and a composition of components."""
