"""The test matrix: kind of the answer, state of the turn before it, and action of the person."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

KINDS = ("text", "tools", "approval", "human", "both", "reasoning", "sources", "files")
STATES = ("fresh", "failed", "stopped", "interrupted", "waiting", "retrying")
ACTIONS = ("send", "edit", "edit again", "cut and send", "regenerate", "resume", "two clients", "kill")
PEOPLE = ("approval", "human", "both")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix.

    Attributes:
        kind: one of KINDS.
        state: one of STATES.
        action: one of ACTIONS.
    """

    kind: str
    state: str
    action: str

    def __str__(self) -> str:
        return f"{self.kind} · {self.state} · {self.action}"


def cannot_be(client: str, cell: Cell) -> str | None:
    """Return why a client does not have a cell, or None if it has."""
    if client == "assistant-ui" and cell.action in ("resume", "two clients", "kill"):
        return "assistant-ui resumes with its own adapter only, which wants a stream's id in a header"
    if client == "assistant-ui" and cell.kind == "files":
        return "assistant-ui makes its files' parts of a browser's File"
    if client == "ai-5" and (cell.kind in ("approval", "both") or cell.state == "waiting"):
        return "version 5 knows no approvals"
    if client == "ai-5" and (cell.action in ("resume", "two clients", "kill") or cell.state == "retrying"):
        return "version 5 appends a resumed stream to what it has, and takes nothing back"
    return None


def every_cell(client: str) -> list[Cell]:
    """Return all cells that a client has."""
    cells = [Cell(*values) for values in product(KINDS, STATES, ACTIONS)]
    return [cell for cell in cells if cannot_be(client, cell) is None]


def pairs(client: str) -> list[Cell]:
    """Return a pairwise cover: each possible pair of values from two axes occurs in some cell."""
    left = every_cell(client)
    unmet = {pair for cell in left for pair in _pairs(cell)}
    chosen: list[Cell] = []
    while unmet:
        best = max(left, key=lambda cell: len(_pairs(cell) & unmet))
        unmet -= _pairs(best)
        chosen.append(best)
    return chosen


def some_cells(client: str) -> list[Cell]:
    """Return the cells of a short run: `pairs`, and for version 7 every tenth cell, too."""
    tenths = every_cell(client)[::10] if client == "ai-7" else []
    return list(dict.fromkeys([*pairs(client), *tenths]))


def _pairs(cell: Cell) -> set[tuple[str, str]]:
    return {(cell.kind, cell.state), (cell.kind, cell.action), (cell.state, cell.action)}
