"""How a person can mend what the provider refused, by kind of error."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.i18n import say

HINTS = {
    "auth": "hint.auth",
    "insufficient_credits": "hint.insufficient_credits",
    "invalid_request": "hint.invalid_request",
    "context_window_exceeded": "hint.context_window_exceeded",
    "rate_limited": "hint.rate_limited",
    "network": "hint.network",
    "provider_5xx": "hint.provider_5xx",
    "truncated": "hint.truncated",
    "StepLimitError": "hint.step_limit",
    "PoisonedStepError": "hint.poisoned",
}


def hint(kind: rx.Var[str]) -> rx.Component:
    """Say what to do about an error of this kind, as `Thread.error_kind` names it."""
    return rx.match(kind, *((name, say(key)) for name, key in HINTS.items()), say("hint.other"))
