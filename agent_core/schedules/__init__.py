"""Schedules as values: cron expressions, triggers and due runs."""
