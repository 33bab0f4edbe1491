"""What the events of several components give to their handlers."""

import reflex as rx


def one_text(value: rx.Var[str]) -> list[rx.Var]:
    """Give one text, such as the id of a message."""
    return [value]


def two_texts(first: rx.Var[str], second: rx.Var[str]) -> list[rx.Var]:
    """Give two texts, such as the id of a message and its new words."""
    return [first, second]
