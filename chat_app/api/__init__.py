"""Interfaces of the running app for programs: who calls, and the paths below which they are served."""
