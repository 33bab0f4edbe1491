"""Write the chunks of one model step, and its blocks of text and reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_core.domain.messages import Chunk
from agent_core.domain.model_adapter import Metadata, ReasoningDelta, TextDelta, merge_metadata
from agent_core.domain.signatures import METADATA, signed_by
from agent_core.domain.validation import clean_json, clean_text


class TextBlocks:
    """Writes text and reasoning as blocks, one at a time, between the other chunks of a step.

    Args:
        model: the name of the model, for signatures.
        opening: chunks with which the step begins, after `start-step`.

    Attributes:
        chunks: the chunks of the step so far, with the deltas of each block joined.
        kind: "text" or "reasoning", the kind of the open block; "" if none is open.
    """

    def __init__(self, model: str, opening: Sequence[Chunk]) -> None:
        self._model = model
        self._opening = opening
        self.chunks: list[Chunk] = []
        self.kind = ""
        self._deltas: list[str] = []  # of the open block
        self._metadata: dict[str, Any] = {}  # of the open block
        self._number = 0
        self._surrogate = ""  # a high surrogate whose other half comes with the next delta …
        self._surrogate_kind = ""  # … of the same kind; it may be the first delta of its block

    def add(self, chunks: list[Chunk]) -> list[Chunk]:
        """Record chunks that belong to no block; return them."""
        self.chunks += chunks
        return chunks

    def write(self, kind: str, text: str) -> list[Chunk]:
        """Return the chunks that append text to a block of this kind."""
        if kind != self._surrogate_kind:
            self._surrogate, self._surrogate_kind = "", kind
        if self._surrogate or not text.isascii() or "\0" in text:
            text = self._clean(text)
        if not text:
            return []
        chunks = [] if kind == self.kind else self._open(kind)
        self._deltas.append(text)
        chunks.append({"type": kind + "-delta", "id": str(self._number), "delta": text})
        return chunks

    def sign(self, kind: str, event: TextDelta | ReasoningDelta) -> list[Chunk]:
        """Attach an event's metadata to the open block; an event without text closes the block."""
        if not event.metadata:
            return []
        chunks: list[Chunk] = []
        if self.kind != kind:
            if kind == "text" or event.text:
                return []
            chunks = self._open(kind)
        merge_metadata(self._metadata, event.metadata)
        return chunks if event.text else chunks + self.close()

    def close(self) -> list[Chunk]:
        """Start the step if it has no chunk yet, and close the open block."""
        start = self._start()
        if not self.kind:
            return start
        kind, block_id = self.kind, str(self._number)
        if self._deltas:
            self.chunks.append({"type": f"{kind}-delta", "id": block_id, "delta": "".join(self._deltas)})
        signature = self.signature(self._metadata)
        self.kind, self._deltas, self._metadata = "", [], {}
        return start + self.add([{"type": f"{kind}-end", "id": block_id, **signature}])

    def restart(self) -> list[Chunk]:
        """Drop all chunks; return those with which readers drop them, too."""
        has_started = bool(self.chunks)
        self.chunks, self.kind, self._deltas = [], "", []
        if not has_started:
            return []
        _, *opening = self._start()  # readers keep the `start-step`
        return [{"type": "reset-step"}, *opening]

    def signature(self, metadata: Metadata) -> Chunk:
        """Return the field with which a chunk carries what its provider must see again."""
        return {METADATA: clean_json(signed_by(self._model, metadata))} if metadata else {}

    def _start(self) -> list[Chunk]:
        return [] if self.chunks else self.add([{"type": "start-step"}, *self._opening])

    def _open(self, kind: str) -> list[Chunk]:
        chunks = self.close()
        self._number += 1
        self.kind = kind
        return chunks + self.add([{"type": f"{kind}-start", "id": str(self._number)}])

    def _clean(self, text: str) -> str:
        """Join a surrogate pair that was split between deltas; replace what no database can hold."""
        text, self._surrogate = self._surrogate + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._surrogate = text[:-1], text[-1]
        return clean_text(text)
