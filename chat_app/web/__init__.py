"""What stands between the app and the web: guard, headers, origin and socket."""
