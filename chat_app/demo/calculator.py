"""Calculator of arithmetic expressions, safe because it evaluates only what is listed here."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

_Number = int | float

_MAX_LENGTH = 300
_MAX_BITS = 10_000
"""Maximum size of an integer, in bits; 9**9**9 would occupy a processor forever."""

_BINARY: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[..., Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "log10": math.log10,
    "max": max,
    "min": min,
    "round": round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_CONSTANTS: dict[str, _Number] = {"pi": math.pi, "e": math.e}
_SPELLINGS = str.maketrans({"^": "**", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})


def calculate(expression: str) -> _Number:
    """Return the value of an expression such as "2 * (3 + 4)" or "sqrt(2) ^ 3".

    Raises:
        ValueError: the expression is not arithmetic, has no value, or is too large; the message says which.
    """
    text = expression.strip().rstrip("=").translate(_SPELLINGS)
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"The expression is longer than {_MAX_LENGTH} characters.")
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"{expression!r} is not an arithmetic expression.") from error
    except ZeroDivisionError as error:
        raise ValueError("Division by zero is undefined.") from error
    except (OverflowError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"{expression!r} cannot be computed: {error}.") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{expression!r} has no finite value.")
    return value


def _value(node: ast.expr) -> _Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _bounded(node.value)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _binary(node.op, _value(node.left), _value(node.right))
    if isinstance(node, ast.Call):
        return _call(node)
    raise ValueError(f"{ast.unparse(node)!r} is not supported.")


def _call(node: ast.Call) -> _Number:
    if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords:
        return _bounded(_FUNCTIONS[node.func.id](*map(_value, node.args)))
    raise ValueError(f"{ast.unparse(node)!r} is not a supported function.")


def _binary(kind: ast.operator, left: _Number, right: _Number) -> _Number:
    """Apply an operator; the size of a power is checked before it is computed."""
    whole = isinstance(left, int) and isinstance(right, int)
    if isinstance(kind, ast.Pow) and whole and abs(int(left)).bit_length() * abs(right) > _MAX_BITS:
        raise ValueError("The result has too many digits.")
    return _bounded(_BINARY[type(kind)](left, right))


def _bounded(value: _Number) -> _Number:
    if isinstance(value, bool | complex):
        raise ValueError("The result is not a real number.")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueError("The result has too many digits.")
    return value
