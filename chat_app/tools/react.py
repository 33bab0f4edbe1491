"""Python wrapper of the question whether a tool may run."""

from typing import Any

import reflex as rx

from chat_app.scripts import script
from chat_app.ui.event_specs import two_texts


def _edited(call_id: rx.Var[str], edited: rx.Var[dict[str, Any] | None]) -> list[rx.Var]:
    return [call_id, edited]


class ApprovalCard(rx.Component):
    """The question whether a tool may run, with its arguments as fields.

    `arguments_text` is their JSON. `on_approve` gets the call's id and the arguments as they were
    changed, None if they were not; `on_deny` the id and a reason, or "".
    """

    library = script("tools/approval.jsx")
    tag = "ApprovalCard"
    call_id: rx.Var[str]
    arguments_text: rx.Var[str]
    on_approve: rx.EventHandler[_edited]
    on_deny: rx.EventHandler[two_texts]


approval_card = ApprovalCard.create
