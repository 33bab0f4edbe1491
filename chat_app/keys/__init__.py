"""Keys with which programs call the app as a person."""
