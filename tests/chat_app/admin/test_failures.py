"""Test the section of failed threads: filters, retries that happen once, and who may retry."""

from __future__ import annotations

import math
from typing import Any

import pytest

from agent_core import CallContext
from agent_core.errors import ModelError
from chat_app.admin.failures import Failures
from chat_app.session.service import Service
from tests.chat_app.admin.conftest import DENIED, OpenState
from tests.chat_app.support import Serve

ERRORS = {"auth": ModelError("Incorrect API key.", kind="auth"), "other": ModelError("Odd.", kind="unknown")}


class Model:
    works = False

    def __call__(self, messages: list[dict[str, Any]]) -> list[Any]:
        return ["Yes."] if self.works else [ERRORS[messages[-1]["content"]]]


async def fail(shared: Service, *prompts: str) -> None:
    bob = CallContext("bob")
    for prompt in prompts:
        thread = await shared.api.create_thread(prompt, ctx=bob)
        await shared.api.wait_until_idle(thread.id, 20, ctx=bob)


async def statuses(shared: Service) -> list[str]:
    return sorted(thread.status for thread in await shared.api.list_threads(ctx=CallContext("bob")))


async def test_failed_threads_are_filtered_and_retried_once(serve: Serve, state: OpenState) -> None:
    model, page = Model(), await state(Failures)
    async with serve(model) as shared:
        await page.open()
        assert (page.report["threads"], page.report["counts"]) == ([], [])
        await fail(shared, "auth", "other", "auth")
        await page.refresh()
        assert [thread["kind"] for thread in page.report["threads"]] == ["auth", "unknown", "auth"]
        shown_at = page.report["at"]
        await page.refresh()
        assert page.report["at"] == shown_at, "nothing has changed, so nothing is sent"
        await page.choose_kind("auth")
        assert [thread["kind"] for thread in page.report["threads"]] == ["auth", "auth"]
        await page.choose_agent("nobody")
        assert page.report["threads"] == []
        await page.choose_agent("*")

        model.works, at = True, page.report["at"]
        newest = page.report["threads"][0]
        for _ in range(2):  # a double click
            await page.retry(newest["id"], newest["seq"])
            assert page.retried == 1
        for _ in range(2):
            await page.retry_all(at)
            assert page.retried == 1
        await page.retry(newest["id"], newest["seq"])
        assert page.retried == 0
        for thread in await shared.api.list_threads():
            await shared.api.wait_until_idle(thread.id, 20)
        assert await statuses(shared) == ["completed", "completed", "failed"]
        await page.choose_kind("*")
        assert [thread["kind"] for thread in page.report["threads"]] == ["unknown"]


@pytest.mark.parametrize("name", ["bob", ""])
async def test_those_who_may_not_see_and_retry_nothing(
    people: None, serve: Serve, state: OpenState, name: str
) -> None:
    model, page, ann = Model(), await state(Failures, name), await state(Failures, "ann")
    async with serve(model) as shared:
        await fail(shared, "auth")
        await ann.open()
        (thread,) = ann.report["threads"]
        assert (thread["user"], thread["link"]) == ("bob", ""), "Ann may retry the chat, and not read it"
        page.report = {"at": 9e9}
        model.works = True
        for event, *arguments in (
            (page.open,),
            (page.refresh,),
            (page.choose_kind, "*"),
            (page.more,),
            (page.retry, thread["id"], thread["seq"]),
            (page.retry_all, ann.report["at"]),
        ):
            page.notice = ""
            await event(*arguments)
            assert (
                page.notice == DENIED
                or (not name and "not signed in" in page.notice)
                or event == page.retry_all
            )
            assert (page.report, page.retried) in (({}, -1), ({}, 0))
        assert await statuses(shared) == ["failed"]


@pytest.mark.parametrize("at", [math.nan, math.inf, -1.0, 9e99, 4e9])
async def test_a_moment_that_was_not_shown_retries_nothing(serve: Serve, state: OpenState, at: float) -> None:
    model, page = Model(), await state(Failures)
    async with serve(model) as shared:
        await fail(shared, "auth")
        await page.open()
        model.works = True
        await page.retry_all(at)
        await page.retry("\x00' or 1=1", -(2**62))
        assert await statuses(shared) == ["failed"]
