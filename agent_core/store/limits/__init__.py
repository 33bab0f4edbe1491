"""Limits of models and budgets, what was used of them, and the admission of model steps."""
