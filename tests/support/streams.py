"""Strategies for streams in property tests: well-formed ones, and broken or hostile ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KINDS = (
    *(f"{kind}-{what}" for kind in ("text", "reasoning") for what in ("start", "delta", "end")),
    *(f"tool-input-{what}" for what in ("start", "delta", "available", "error")),
    *(f"tool-output-{what}" for what in ("available", "error", "denied")),
    *("tool-approval-request", "tool-approval-response", "start-step", "finish-step"),
    *("source-url", "source-document", "file", "data-x", "data-thread", "data-tool-run"),
    *("start", "finish", "error", "nonsense", "", None, 5),
)
_words = st.sampled_from(["", "x", "two words", None, 5, "\0", "\ud800", {"a": [1]}])
_ids = st.sampled_from(["1", "2", "", None, 7])

hostile_chunks = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS),
        "id": _ids,
        "delta": _words,
        "toolCallId": _ids,
        "toolName": st.sampled_from(["f", "g", "", None]),
        "input": _words,
        "inputTextDelta": _words,
        "output": _words,
        "errorText": _words,
        "approvalId": _ids,
        "approved": st.sampled_from([True, False, None]),
        "reason": _words,
        "preliminary": st.sampled_from([True, False, None]),
        "transient": st.booleans(),
        "data": _words,
        "title": _words,
        "text": _words,
        "state": st.sampled_from(["streaming", "done", "output-available"]),
    },
)
hostile_streams = st.lists(hostile_chunks, max_size=14)


@st.composite
def steps(draw: st.DrawFn, step: int = 0) -> list[dict[str, Any]]:
    """Generate the chunks of one model step as `loop.model_step` yields them."""
    chunks: list[dict[str, Any]] = [{"type": "start-step"}]
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["text", "reasoning"]))
        name = str(number)
        deltas = draw(st.lists(st.text(max_size=4), max_size=3))
        chunks.append({"type": f"{kind}-start", "id": name})
        chunks += [{"type": f"{kind}-delta", "id": name, "delta": delta} for delta in deltas]
        chunks.append({"type": f"{kind}-end", "id": name})
    for number in range(draw(st.integers(0, 2))):
        call = {"toolCallId": f"{step}-{number}", "toolName": draw(st.sampled_from(["f", "g"]))}
        chunks.append({"type": "tool-input-start", **call})
        chunks.append(
            {"type": "tool-input-available", **call, "input": draw(st.sampled_from([{}, {"a": 1}]))}
        )
    chunks.append({"type": "finish-step"})
    return chunks
