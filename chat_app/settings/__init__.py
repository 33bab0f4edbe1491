"""The pages of settings and of usage."""
