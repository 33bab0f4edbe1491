"""Page of the schedules: list, form and runs."""
