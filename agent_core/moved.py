"""Forward the module names of before the rooms to the modules that hold their contents now, for one release."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "agent_core.api.http": "agent_core.http",
    "agent_core.bounds": "agent_core.domain.field_limits",
    "agent_core.bridge": "agent_core.worker.bridge",
    "agent_core.checks": "agent_core.support.argument_checks",
    "agent_core.clock": "agent_core.support.clock",
    "agent_core.config": "agent_core.support.settings",
    "agent_core.crontab": "agent_core.schedules.cron",
    "agent_core.durability": "agent_core.domain.durability",
    "agent_core.end_reasons": "agent_core.domain.end_reasons",
    "agent_core.endings": "agent_core.streaming.final_parts",
    "agent_core.faults": "agent_core.support.faults",
    "agent_core.fold": "agent_core.streaming.fold",
    "agent_core.gate": "agent_core.domain.validation",
    "agent_core.history": "agent_core.context.provider_messages",
    "agent_core.ids": "agent_core.support.ids",
    "agent_core.llm.base": "agent_core.domain.model_adapter",
    "agent_core.logs": "agent_core.support.logs",
    "agent_core.loop": "agent_core.streaming.model_step",
    "agent_core.messages": "agent_core.domain.messages",
    "agent_core.plain_text": "agent_core.text.plain_text",
    "agent_core.procrastinate": "agent_core.worker.procrastinate",
    "agent_core.redaction": "agent_core.text.redaction",
    "agent_core.reducer": "agent_core.streaming.part_reducer",
    "agent_core.retry": "agent_core.support.retry",
    "agent_core.states": "agent_core.domain.states",
    "agent_core.tables": "agent_core.store.database.tables",
    "agent_core.text_decoding": "agent_core.text.decoding",
    "agent_core.timeline": "agent_core.domain.spans",
    "agent_core.titles": "agent_core.context.thread_title",
    "agent_core.triggers": "agent_core.schedules.triggers",
    "agent_core.usage": "agent_core.domain.usage",
    "agent_core.workpool": "agent_core.worker.workpool",
}
"""The old name of each module that a page of docs/ or the app has named: its new name."""


class _Forwarder(MetaPathFinder, Loader):
    """Finder of modules by their old names: it gives the new module's contents, and a DeprecationWarning."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        self.moved = moved

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a moved module, or None for every other name."""
        if fullname not in self.moved:
            return None
        return ModuleSpec(
            fullname, self, is_package=any(old.startswith(f"{fullname}.") for old in self.moved)
        )

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with the contents of the one that has taken its place."""
        new = self.moved[module.__name__]
        warnings.warn(
            f"{module.__name__} is {new} now; the old name goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        contents = vars(importlib.import_module(new))
        vars(module).update({name: value for name, value in contents.items() if not name.startswith("__")})


def install(moved: Mapping[str, str] = MOVED) -> None:
    """Let the old names in `moved` be imported; once a process."""
    if not any(isinstance(finder, _Forwarder) and finder.moved is moved for finder in sys.meta_path):
        # First: a folder that only has old bytecode would be found before.
        sys.meta_path.insert(0, _Forwarder(moved))
