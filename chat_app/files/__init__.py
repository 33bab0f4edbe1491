"""Attachments: how they are chosen, uploaded, served and shown."""
