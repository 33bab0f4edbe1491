"""Python wrappers of times, durations and the button that copies."""

import reflex as rx

from chat_app.scripts import script


class Elapsed(rx.Component):
    """Live time since `since`, in seconds since the epoch."""

    library = script("ui/durations.jsx")
    tag = "Elapsed"
    since: rx.Var[float]


class Countdown(rx.Component):
    """Live "in 4 s" from `seconds`, counted from when the value arrives."""

    library = script("ui/durations.jsx")
    tag = "Countdown"
    seconds: rx.Var[float]


class Lasted(rx.Component):
    """How long something took that is over, in `seconds`."""

    library = script("ui/durations.jsx")
    tag = "Lasted"
    seconds: rx.Var[float]


class CopyButton(rx.Component):
    """A button that copies `text`."""

    library = script("ui/copy.jsx")
    tag = "CopyButton"
    text: rx.Var[str]
    label: rx.Var[str]


class Ago(rx.Component):
    """When `at` (seconds since the epoch) was, in a word or two."""

    library = script("ui/relative_time.jsx")
    tag = "Ago"
    at: rx.Var[float]


class Moment(rx.Component):
    """When `at` (seconds since the epoch) is, in the person's language and time zone."""

    library = script("ui/date_time.jsx")
    tag = "Moment"
    at: rx.Var[float]


ago = Ago.create
copy_button = CopyButton.create
countdown = Countdown.create
elapsed = Elapsed.create
lasted = Lasted.create
moment = Moment.create
