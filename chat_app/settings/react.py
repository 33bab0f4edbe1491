"""Python wrappers of the components on the pages beside the threads: settings, usage, schedules."""

from typing import Any

import reflex as rx

from chat_app.scripts import script

DENSITY_FIRST = (
    'try{document.documentElement.dataset.density=localStorage.getItem("chat:density")??"comfortable"}catch{}'
)
"""Set in the page's head, so that a page that is drawn small is never seen large."""


class Preferences(rx.Component):
    """Theme, density, the key that sends and the language; `languages` are pairs of code and own name."""

    library = script("settings/preferences.jsx")
    tag = "Preferences"
    languages: rx.Var[list[list[str]]]


class ImportThread(rx.Component):
    """A button to choose the file of an exported thread; the thread that it becomes is opened."""

    library = script("settings/import_thread.jsx")
    tag = "ImportThread"


class Usage(rx.Component):
    """Figures, a bar a day and tables of a report: total, by_day, by_model, by_agent."""

    library = script("settings/usage.jsx")
    tag = "Usage"
    report: rx.Var[dict[str, Any]]


import_thread = ImportThread.create
preferences = Preferences.create
usage = Usage.create
