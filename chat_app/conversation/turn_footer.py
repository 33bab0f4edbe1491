"""Status of the turn below the messages: at work, waiting, stopped, failed."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from typing import Any

import reflex as rx

from chat_app.i18n import say, tell
from chat_app.messages.message_actions import Actions
from chat_app.model.answer_options import ASSISTANT
from chat_app.thread.open_thread import OpenThread
from chat_app.ui.controls import button, icon, testid
from chat_app.ui.times import countdown, moment

_SOON = 120  # seconds; a later moment is shown as a date

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
"""Keys of the hints for errors, by `Thread.error_kind`."""


@rx.memo
def turn_state() -> rx.Component:
    """Render the status below the last message."""
    return rx.el.div(
        rx.cond(
            OpenThread.retry.kind == "unknown_agent",
            _waiting_for_agent(),
            rx.cond(
                (OpenThread.retry.kind == "limit") | (OpenThread.retry.kind == "budget"),
                _paused(),
                rx.cond(OpenThread.retry.attempt > 0, _waiting_to_retry(), _thread_status()),
            ),
        ),
        notice(),
        class_name="turn-state",
        custom_attrs=testid("status", status=OpenThread.status),
        aria_live="polite",
    )


def _thread_status() -> rx.Component:
    """Render the footer for the thread's status."""
    return rx.match(
        OpenThread.status,
        ("streaming", _running()),
        ("stopped", _stopped()),
        ("failed", rx.cond(OpenThread.incomplete_reason == "StepLimitError", _step_limit(), _failed())),
        ("completed", _cut_short()),
        rx.fragment(),
    )


def _running() -> rx.Component:
    """Render the indicator shown before the first word, and while an interrupted answer is resumed."""
    return rx.cond(
        OpenThread.resuming,
        rx.el.div(say("turn.resuming"), class_name="breathe late", custom_attrs=testid("resuming")),
        rx.cond(
            OpenThread.thinking,
            rx.el.div(say("turn.thinking"), class_name="breathe", custom_attrs=testid("thinking")),
        ),
    )


def _stopped() -> rx.Component:
    """Render the line of a turn that a user stopped; its text stays, and the turn can be continued."""
    return rx.el.div(
        icon("circle-stop"),
        say("turn.stopped"),
        button(say("turn.continue"), icon_name="play", on_click=OpenThread.resume, test_id="continue"),
        rx.cond(OpenThread.answer_id != "", _regenerate()),
        class_name="turn-line",
        custom_attrs=testid("stopped"),
    )


def _regenerate() -> rx.Component:
    """Render the button that generates another version of the answer; the previous version is kept."""
    return button(
        say("message.regenerate"),
        icon_name="refresh-cw",
        on_click=Actions.regenerate(OpenThread.answer_id),
        test_id="regenerate-last",
    )


def _step_limit() -> rx.Component:
    """Render the line of a turn that reached its step limit, with a button to continue."""
    return _cut("flag", say("turn.step_limit"), OpenThread.resume)


def _cut_short() -> rx.Component:
    """Render the reason why the provider cut the answer short, and Continue if that is possible."""
    on_continue = OpenThread.continue_answer(say("turn.go_on"))
    return rx.match(
        OpenThread.incomplete_reason,
        ("length", _cut("scissors", say("turn.length"), on_continue)),
        ("model-context-window-exceeded", _cut("scissors", say("turn.context_full"), on_continue)),
        ("content-filter", _cut("shield", say("turn.filtered"), None)),
        ("silent", _cut("message-square", say("turn.silent"), None)),
        rx.fragment(),
    )


def _cut(name: str, words: rx.Var[str], on_continue: Any) -> rx.Component:
    return rx.el.div(
        icon(name),
        words,
        button(say("turn.continue"), icon_name="play", on_click=on_continue, test_id="continue")
        if on_continue is not None
        else _regenerate(),
        class_name="turn-line",
        custom_attrs=testid("cut-short", reason=OpenThread.incomplete_reason),
    )


def _failed() -> rx.Component:
    """Render the card of a failed turn: the provider's error, a hint, and Retry."""
    hints = [(kind, say(key)) for kind, key in HINTS.items()]
    return _card(
        "circle-alert",
        "failed",
        rx.el.strong(say("turn.failed")),
        _words(OpenThread.error, OpenThread.error_info, custom_attrs=testid("error")),
        rx.el.div(rx.match(OpenThread.error_kind, *hints, say("hint.other")), class_name="hint"),
        button(say("turn.retry"), icon_name="rotate-cw", on_click=OpenThread.resume, test_id="retry"),
        role="alert",
    )


def _waiting_to_retry() -> rx.Component:
    """Render the card of a pending retry: the number of the attempt, the time left, and the error."""
    retry = OpenThread.retry
    attempt = say("turn.attempt", attempt=retry.attempt, most=retry.max_attempts)
    return _card(
        "hourglass",
        "retry-wait",
        rx.el.strong(attempt, " ", countdown(seconds=retry.seconds)),
        _words(retry.error, retry.error_info),
        tone="wait",
    )


def _paused() -> rx.Component:
    """Render the card of a thread that a limit or a budget pauses, with buttons to raise it or to stop."""
    retry = OpenThread.retry
    soon = rx.cond(retry.seconds < _SOON, countdown(seconds=retry.seconds), moment(at=retry.next_at))
    return _card(
        "hourglass",
        "paused",
        rx.el.strong(
            rx.cond(retry.next_at > 0, rx.fragment(say("turn.paused_until"), " ", soon), say("turn.paused"))
        ),
        _words(retry.error, retry.error_info),
        rx.el.div(
            rx.cond(
                retry.may_raise,
                button(
                    say("turn.double_budget"),
                    icon_name="play",
                    on_click=OpenThread.double_budget,
                    test_id="double-budget",
                ),
            ),
            button(
                say("composer.stop"), icon_name="circle-stop", on_click=OpenThread.stop, test_id="stop-paused"
            ),
            class_name="buttons",
        ),
        tone="wait",
    )


def _waiting_for_agent() -> rx.Component:
    """Render the card of a thread whose agent no process knows, with buttons to replace it or to stop."""
    retry, replace = OpenThread.retry, OpenThread.choose_agent(ASSISTANT)
    return _card(
        "hourglass",
        "agent-wait",
        rx.el.strong(say("turn.no_agent")),
        _words(retry.error, retry.error_info),
        rx.el.div(
            button(say("turn.let_assistant"), icon_name="play", on_click=replace, test_id="let-assistant"),
            button(
                say("composer.stop"), icon_name="circle-stop", on_click=OpenThread.stop, test_id="give-up"
            ),
            class_name="buttons",
        ),
        role="alert",
        tone="wait",
    )


def notice() -> rx.Component:
    """Render the notice that says why a request of the user failed, if there is one."""
    return rx.cond(
        OpenThread.notice != "",
        _card(
            "info",
            "notice",
            rx.el.span(tell(OpenThread.notice, OpenThread.notice_info)),
            button(say("turn.dismiss"), on_click=OpenThread.dismiss),
            role="alert",
            tone="wait",
        ),
    )


def _card(
    icon_name: str, name: str, *children: rx.Component, tone: str | None = None, **props: Any
) -> rx.Component:
    """Render a card about a problem; `name` is its test id."""
    attributes = testid(name) | ({"data-tone": tone} if tone else {})
    return rx.el.div(
        icon(icon_name, 18), rx.el.div(*children), class_name="callout", custom_attrs=attributes, **props
    )


def _words(sentence: rx.Var[str], info: rx.Var[dict[str, Any]], **props: Any) -> rx.Component:
    return rx.el.div(tell(sentence, info), class_name="words", dir="auto", **props)
