"""Commands for those who operate the app: backup, restore, move and doctor."""
