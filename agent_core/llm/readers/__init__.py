"""Readers of providers' answers, one for each form."""
