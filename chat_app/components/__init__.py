"""The pieces pages are made of: small functions that return components."""
