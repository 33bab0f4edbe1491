"""Section of storage: what the database takes, and what retention deletes next."""

from __future__ import annotations

from typing import Any

import reflex as rx

from chat_app.admin.admin_state import AdminState, error
from chat_app.admin.sections import register_section
from chat_app.scripts import react_component

_storage = react_component("admin/views/storage.jsx", "Storage", report=dict[str, Any], on_refresh=())
"""Figures of the database, and the tables of its kinds of rows and of what is deleted next."""


class Storage(AdminState, rx.State):
    """State of the section, which is read only when somebody asks: it reads every table.

    Attributes:
        report: a `StorageReport` as plain JSON.
    """

    report: dict[str, Any] = {}

    async def _read(self) -> dict[str, Any]:
        return {"report": (await self._api().admin.storage()).to_dict()}


@register_section("storage", "admin.storage", on_load=Storage.open, place=50)
def storage() -> list[rx.Component]:
    """Render the section `/admin/storage`."""
    return [
        error(Storage),
        rx.cond(Storage.loaded, _storage(report=Storage.report, on_refresh=Storage.refresh)),
    ]
