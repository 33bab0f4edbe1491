"""Times and durations, drawn in the person's language and kept up to date in the browser."""

from chat_app.scripts import react_component

ago = react_component("ui/date_time.jsx", "Ago", at=float)
"""When `at` was, in seconds since the epoch, in a word or two."""

moment = react_component("ui/date_time.jsx", "Moment", at=float)
"""When `at` is, in seconds since the epoch, in the person's time zone."""

elapsed = react_component("ui/durations.jsx", "Elapsed", since=float)
"""Live time since `since`, in seconds since the epoch."""

countdown = react_component("ui/durations.jsx", "Countdown", seconds=float)
"""Live "in 4 s" from `seconds`, counted from when the value arrives."""

lasted = react_component("ui/durations.jsx", "Lasted", seconds=float)
"""How long something took, in `seconds`."""
