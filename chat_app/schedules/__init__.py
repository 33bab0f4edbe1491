"""The page of schedules: list, form and runs."""
