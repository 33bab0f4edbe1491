"""Attachments: their selection, upload, download and display."""
