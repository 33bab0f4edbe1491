"""The middleware between the app and the web: guard, headers, origin and socket."""
