"""Estimate what model steps have used whose provider reported no counts: stopped, failed and lost ones.

The estimate is the request as it was weighed, and the answer as far as it was flushed. The transaction that ends
the attempt writes it into the step's admission and into the usage of its stream, marked as an estimate. A stream
ends once, so an attempt is counted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete, exists, select, update

from agent_core.domain.limits import Prompt, Used
from agent_core.domain.messages import Part, tool_name
from agent_core.llm.tokens import estimate_tokens
from agent_core.store.database.sql import ADMISSION, THREAD, WAKE_UP, P, Statement, dump
from agent_core.store.database.transaction import Tx
from agent_core.store.limits.rules import Subject
from agent_core.store.limits.under_way import ENDED, RUNNING, is_current, is_leased
from agent_core.store.threads import deltas
from agent_core.streaming.fold import fold

_a = ADMISSION.c
_prompt = (_a.prompt_tokens, _a.prompt_usd, _a.answer_usd)
_of_step = (_a.thread_id == P("thread_id"), _a.seq == P("at_seq"), _a.status == RUNNING)
_FIND = Statement(select(_a.model, *_prompt).where(*_of_step))
_FORGET = Statement(delete(ADMISSION).where(*_of_step))
_END = Statement(
    update(ADMISSION)
    .where(*_of_step)
    .values(status=ENDED, tokens=P("new_tokens"), usd=P("new_usd"), since=P("now"))
)
_WEIGH = Statement(
    update(ADMISSION).where(*_of_step).values(**{column.name: P(f"new_{column.name}") for column in _prompt})
)
_LOST = Statement(
    select(_a.model, _a.user_id, _a.agent, _a.thread_id, _a.reply_id, _a.seq, *_prompt)
    .select_from(ADMISSION)
    .join(THREAD, is_current)
    .where(_a.status == RUNNING, ~exists(select(WAKE_UP.c.id).where(is_leased)))
)


def end(tx: Tx, thread_id: str, seq: int, parts: Sequence[Part], *, was_answered: bool) -> str | None:
    """End the admission of a step without counts; its thread is locked.

    Args:
        parts: the answer, as far as it is known.
        was_answered: whether the request counts even if nothing of the answer is known. A provider that refuses
            a request charges nothing for it.

    Returns:
        the usage for the step's stream, as JSON; None: nothing is counted, or the step was never weighed.
    """
    row = tx.one(_FIND, thread_id=thread_id, at_seq=seq)
    if row is None:
        return None
    model, *prompt = row
    asked, answer = _prompt_of(prompt), answer_tokens(parts)
    if not (was_answered or answer):
        tx.do(_FORGET, thread_id=thread_id, at_seq=seq)
        return None
    usd = asked.price_with(answer)
    total = asked.tokens + answer
    tx.do(_END, thread_id=thread_id, at_seq=seq, new_tokens=total, new_usd=usd or 0.0, now=tx.now)
    counts = {"input_tokens": asked.tokens, "output_tokens": answer, "total_tokens": total, "cost": usd}
    return dump({"model": model, "finish_reason": None, **counts, "estimated": True})


def weigh(tx: Tx, thread_id: str, seq: int, prompt: Prompt) -> None:
    """Store the weight of an admitted request that is not the thread's history: it was cut, or summarized."""
    values = {f"new_{column.name}": value for column, value in zip(_prompt, prompt, strict=True)}
    tx.do(_WEIGH, thread_id=thread_id, at_seq=seq, **values)


def lost(tx: Tx) -> list[tuple[Subject, Used]]:
    """Return what steps have used whose process has lost the lease, and which nobody has taken over yet."""
    found: list[tuple[Subject, Used]] = []
    for *subject, seq, tokens, usd, answer_usd in tx.all(_LOST):
        of = Subject(*subject)
        prompt = _prompt_of((tokens, usd, answer_usd))
        answer = answer_tokens(fold(deltas.of_stream(tx, of.thread, seq)))
        found.append((of, Used(0, prompt.tokens + answer, prompt.price_with(answer) or 0.0)))
    return found


def answer_tokens(parts: Sequence[Part]) -> int:
    """Return about how many tokens a model has written."""
    return sum(map(estimate_tokens, _texts(parts)))


def _texts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if "toolCallId" in part:
            written: Any = part.get("input", part.get("rawInput"))
            yield tool_name(part)
            yield written if isinstance(written, str) else dump(written or {})
        elif part.get("type") in ("text", "reasoning"):
            yield str(part.get("text") or "")


def _prompt_of(row: Sequence[Any]) -> Prompt:
    tokens, usd, answer_usd = row  # a version before this one writes none of them
    return Prompt(int(tokens or 0), usd, answer_usd)
