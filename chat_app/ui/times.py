"""Components for times and durations, in the user's language and updated in the browser."""

from chat_app.scripts import react_component

ago = react_component("ui/date_time.jsx", "Ago", at=float)
"""Relative time of `at`, in seconds since the epoch, in a word or two."""

moment = react_component("ui/date_time.jsx", "Moment", at=float)
"""Absolute time of `at`, in seconds since the epoch, in the user's time zone."""

elapsed = react_component("ui/durations.jsx", "Elapsed", since=float)
"""Running time since `since`, in seconds since the epoch."""

countdown = react_component("ui/durations.jsx", "Countdown", seconds=float)
"""Countdown such as "in 4 s" that starts at `seconds` when the browser receives the value."""

lasted = react_component("ui/durations.jsx", "Lasted", seconds=float)
"""Duration of `seconds`."""
