"""State of the open thread on the app's own pages, with its agent and answer options."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar

import reflex as rx

from agent_core import Thread
from agent_core.errors import AgentCoreError, ValidationError, words_of
from agent_core.sentences import info_of
from chat_app.extensions import OFFERED
from chat_app.model.answer_options import ASSISTANT, AnswerOptions, parse_options
from chat_app.session.service import service
from chat_app.thread.follower import Follower
from chat_app.thread.live_text import LiveText
from chat_app.thread.shown_thread import ShownThread
from chat_app.thread.thread_state import ThreadState
from chat_app.thread.views import MessageView, ReturnedView


class OpenThread(ThreadState, rx.State):
    """State of the thread on the app's own pages, with the events of their buttons.

    The user chooses the agent and the answer options on the page, and the thread stores them; on the page
    of a new chat they apply to the thread that is created next.

    Attributes:
        history, turn: the messages before the turn under way, and that turn.
        share: the token of the thread's share link; "" while there is none.
        pinned, archived: whether the thread is.
        returned: the message that was returned to the composer last.
        agent: the name of the agent that answers.
        model: the name of the model, if the agent is the app's own.
        instructions, temperature: the values of the form.
        answers_error: the sentence that says why the form was rejected.
        unsent_choice: what the user has chosen for a new chat, as JSON; "" for nothing. It is in the browser, as the
            draft is, because this state may be lost with its process.
    """

    history: list[MessageView] = []
    turn: list[MessageView] = []
    share: str = ""
    pinned: bool = False
    archived: bool = False
    returned: ReturnedView = ReturnedView()
    agent: str = ASSISTANT
    model: str = ""
    instructions: str = ""
    temperature: str = ""
    answers_error: str = ""
    unsent_choice: str = rx.SessionStorage("", name="chat:unsent_choice")

    @rx.var
    def may_choose_model(self) -> bool:
        """Return whether the agent is the app's own, the only one that answers with any model."""
        return self.agent == ASSISTANT

    @rx.var
    def has_unlisted_agent(self) -> bool:
        """Return whether the thread's agent cannot be chosen: it was removed or is not offered."""
        return self.agent != ASSISTANT and self.agent not in OFFERED

    @rx.var
    def answers_error_info(self) -> dict[str, Any]:
        """Return code and params of `answers_error`."""
        return info_of(self.answers_error) or {}

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = follower.thread.get("metadata") or {}
        return {
            "history": history,
            "turn": turn,
            "share": str(metadata.get("share") or ""),
            **{name: bool(follower.thread.get(name)) for name in ("pinned", "archived")},
        }

    def _show(self, follower: Follower) -> None:
        """Show the rows of a follower, and the thread's agent and answer options."""
        super()._show(follower)
        if follower.thread:
            self._show_answers(
                str(follower.thread.get("agent") or ""), AnswerOptions.of(follower.thread.get("metadata"))
            )

    def _show_answers(self, agent: str, answers: AnswerOptions) -> None:
        degrees = "" if answers.temperature is None else f"{answers.temperature:g}"
        self._set(agent=agent, model=answers.model, instructions=answers.instructions, temperature=degrees)

    def _apply_defaults(self, agent: str, answers: AnswerOptions) -> None:
        """Apply the user's preferences to a new chat, unless the user has already chosen options for it."""
        if not self.open_id:
            self._show_answers(*(_choice_in(self.unsent_choice) or (agent, answers)))

    def _keep_choice(self) -> None:
        self.unsent_choice = json.dumps([self.agent, self.model, self.instructions, self.temperature])

    def _answers(self) -> AnswerOptions:
        return parse_options(self.model, self.instructions, self.temperature)

    async def _create(self, prompt: list[dict[str, Any]], message_id: str, **named: Any) -> Thread:
        own = self.agent == ASSISTANT
        return await self._api().create_thread(
            prompt,
            message_id=message_id,
            **named,
            agent=None if own else self.agent,
            metadata=self._answers().metadata() if own and self._answers() != AnswerOptions() else None,
        )

    @rx.event
    async def choose_agent(self, name: str):
        """Change the agent of the thread; takes effect with the next turn."""
        if not self.open_id:
            self.agent = name
            self._keep_choice()
            return
        await self._do("update_thread", agent=name)

    @rx.event
    async def choose_model(self, name: str):
        """Change the model of the thread; takes effect with the next step."""
        if name not in {model.name for model in service().models}:
            return
        await self._change(model=name)

    @rx.event
    async def choose_answers(self, form: dict[str, Any]):
        """Store the instructions and the temperature of the submitted form."""
        self.answers_error = ""
        try:
            typed = parse_options("", str(form.get("instructions") or ""), str(form.get("temperature") or ""))
        except ValidationError as error:
            self.answers_error = words_of(error)
            return
        await self._change(instructions=typed.instructions, temperature=typed.temperature)

    async def _change(self, **chosen: Any) -> None:
        """Change some answer options and leave the other metadata of the thread unchanged."""
        if not self.open_id:
            self._show_answers(self.agent, replace(self._answers(), **chosen))
            self._keep_choice()
            return
        self.notice = ""
        try:
            thread = await self._api().get_thread(self.open_id)
            changed = replace(AnswerOptions.of(thread.metadata if thread else None), **chosen)
            await self._api().change_metadata(self.open_id, changed.metadata())
            self._show_answers(self.agent, changed)
        except AgentCoreError as error:
            self.notice = words_of(error)


def _choice_in(text: str) -> tuple[str, AnswerOptions] | None:
    """Return the agent and the options in a browser's `unsent_choice`; None if there is none that can be used."""
    try:
        agent, *options = map(str, json.loads(text))
        answers = parse_options(*options)
    except (ValueError, TypeError, ValidationError):
        return None
    models = {"", *(model.name for model in service().models)}
    return (agent, answers) if (agent == ASSISTANT or agent in OFFERED) and answers.model in models else None


class OpenThreadText(LiveText, rx.State):
    """Live text of the open thread on the app's own pages."""

    shown: ClassVar[type[ShownThread]] = OpenThread

    @rx.event
    async def open(self):
        """Open the thread of the URL and follow it."""
        opened = await self.get_state(OpenThread)
        opened._open(str(self.thread_id or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        self._clear()
        return OpenThreadText.follow if opened.open_id else None

    @rx.event
    async def leave(self):
        """Close the thread: the page that opens shows none."""
        opened = await self.get_state(OpenThread)
        opened._open("")
        self._clear()
