"""Failed threads of everybody: listed with the reason, and retried once, unless they have gone on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core import AgentApi, CallContext, define_agent_api, errors
from agent_core.http.app import make_app
from agent_core.store.turns import failures
from agent_core.testing import eventually
from tests.support.agents import QUICK, agent_on, finished, prepare

AUTH = errors.ModelError("Incorrect API key provided.", kind="auth")
CREDITS = errors.ModelError("You exceeded your quota.", kind="insufficient_credits")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


class Provider:
    """Turns of a model that fails as its prompts say, until it is repaired."""

    def __init__(self) -> None:
        self.works = False

    def __call__(self, messages: list[dict[str, Any]]) -> list[Any]:
        if self.works:
            return ["Yes."]
        return [CREDITS if "credits" in messages[-1]["content"] else AUTH]


async def failed(api: AgentApi, *prompts: str) -> list[str]:
    """Create threads that fail, one after the other; return their ids."""
    found: list[str] = []
    for prompt in prompts:
        thread = await api.create_thread(prompt, title=prompt, ctx=CallContext("ann"))
        assert (await finished(api, thread)).status == "failed"
        found.append(thread.id)
    return found


async def listed(api: AgentApi, **options: Any) -> list[str]:
    return [each.thread_id for each in (await api.admin.failed_threads(**options)).threads]


async def test_failed_threads_are_listed_by_agent_and_kind_and_retried_once(path: Path) -> None:
    provider = Provider()
    async with agent_on(path, provider, settings=QUICK) as api:
        assert (await api.admin.failed_threads()).to_dict() | {"at": 0} == {
            "at": 0,
            "counts": [],
            "threads": [],
        }
        first, second, third = await failed(api, "one", "credits", "two")
        found = await api.admin.failed_threads()
        assert [(each.error_kind, each.threads) for each in found.counts] == [
            ("auth", 2),
            ("insufficient_credits", 1),
        ]
        newest = found.threads[0]
        assert (newest.thread_id, newest.title, newest.user_id) == (third, "two", "ann")
        assert (newest.error, newest.error_kind) == ("Incorrect API key provided.", "auth")
        assert newest.failed_at <= found.at
        assert await listed(api, limit=1) == [third]
        assert await listed(api, error_kind="auth") == [third, first]
        assert await listed(api, agent="assistant", error_kind="insufficient_credits") == [second]
        assert await listed(api, agent="nobody") == await listed(api, error_kind="") == []

        provider.works = True
        fences = {each.thread_id: each.seq for each in found.threads}
        assert await api.admin.retry_failed({third: fences[third], "none": 1, "\x00": 1}) == 1
        assert (await finished(api, third)).status == "completed"
        assert await api.admin.retry_failed(fences) == 2
        for thread in (first, second):
            assert (await finished(api, thread)).status == "completed"
        assert await api.admin.retry_failed(fences) == 0
        assert await api.admin.retry_all_failed(until=found.at) == 0
        assert [len(await api.list_messages(thread)) for thread in (first, second, third)] == [2, 2, 2]


async def test_a_thread_that_fails_again_or_goes_on_is_not_retried_by_the_same_click(path: Path) -> None:
    provider = Provider()
    async with agent_on(path, provider, settings=QUICK) as api:
        again, gone, deleted = await failed(api, "one", "two", "three")
        found = await api.admin.failed_threads()
        fences = {each.thread_id: each.seq for each in found.threads}
        await api.delete_thread(deleted, undo_for=60)
        assert deleted not in await listed(api)
        provider.works = True
        await api.resume_thread(gone, "Another question")
        await finished(api, gone)
        provider.works = False
        clicks = await asyncio.gather(*(api.admin.retry_failed(fences) for _ in range(2)))
        assert sum(clicks) == 1
        assert (await finished(api, again)).status == "failed"
        assert await api.admin.retry_failed(fences) == 0
        assert await api.admin.retry_all_failed(until=found.at) == 0
        assert (await api.get_thread(again)).seq == fences[again] + 1  # pyright: ignore[reportOptionalMemberAccess]
        assert len(await api.list_messages(gone)) == 3, "it has the answer to the other question"


async def test_all_that_match_are_retried_in_bounded_calls(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_core.api.admin.failures._MAX_RETRIED", 2)
    provider = Provider()
    async with agent_on(path, provider, settings=QUICK) as api:
        threads = await failed(api, "one", "two", "credits", "three")
        provider.works = True
        until = (await api.admin.failed_threads()).at
        assert await api.admin.retry_all_failed(until=until - timedelta(hours=1)) == 0
        counts = [await api.admin.retry_all_failed(until=until, error_kind="auth") for _ in range(3)]
        assert counts == [2, 1, 0]
        assert [(await finished(api, thread)).status for thread in threads] == [
            *("completed", "completed", "failed", "completed")
        ]


@pytest.mark.sqlite  # each thread is a transaction on both
async def test_a_kill_between_two_retries_leaves_the_rest_to_the_next_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retried: list[str] = []

    def dies(tx: Any, thread_id: str, seq: int) -> bool:
        if retried:
            raise ConnectionError("The process is gone.")
        retried.append(thread_id)
        return real(tx, thread_id, seq)

    provider, real = Provider(), failures.retry
    async with agent_on(path, provider, settings=QUICK) as api:
        threads = await failed(api, "one", "two", "three")
        until, provider.works = (await api.admin.failed_threads()).at, True
        monkeypatch.setattr("agent_core.api.admin.failures._AT_ONCE", 1)
        monkeypatch.setattr(failures, "retry", dies)
        with pytest.raises(ConnectionError):
            await api.admin.retry_all_failed(until=until)
        monkeypatch.undo()
        await finished(api, retried[0])
        assert len(await listed(api)) == 2
        assert await api.admin.retry_all_failed(until=until) == 2
        assert [(await finished(api, thread)).status for thread in threads] == ["completed"] * 3


@pytest.mark.sqlite  # no database decides
async def test_invalid_arguments_are_refused_and_change_nothing(path: Path) -> None:
    async with agent_on(path, Provider(), settings=QUICK) as api:
        (thread,) = await failed(api, "one")
        wrong: list[Any] = [None, [thread], {thread: "1"}, {thread: True}, {thread: None}, {"x": 1.0}]
        wrong.append({f"t{number}": 1 for number in range(501)})
        for threads in wrong:
            with pytest.raises(errors.ValidationError, match="threads"):
                await api.admin.retry_failed(threads)
        for options in (
            {"until": datetime.now(UTC).replace(tzinfo=None)},
            {"until": 5},
            {"agent": "\x00"},
            {"error_kind": "x" * 10_000},
        ):
            with pytest.raises(errors.ValidationError):
                await api.admin.retry_all_failed(**options)  # pyright: ignore[reportArgumentType]
        with pytest.raises(errors.ValidationError):
            await api.admin.failed_threads(limit=0)
        assert await api.admin.retry_failed({thread: 10**30}) == 0
        assert await listed(api) == [thread]


@pytest.mark.sqlite  # no database decides
async def test_failed_threads_are_retried_over_http_by_administrators_only(path: Path) -> None:
    def admins(ctx: CallContext | None) -> None:
        if ctx is None or ctx.user_id != "admin":
            raise errors.AccessDeniedError("Admins only.")

    provider = Provider()
    async with agent_on(path, provider, settings=QUICK) as internal:
        first, second = await failed(internal, "one", "two")
        api = define_agent_api(internal.store, internal.agent, admin_callback=admins, replace=True)
        app = make_app(api, lambda request: CallContext(request.headers["x-user"]))

        async def ask(user: str, method: str, end: str = "", body: Any = None) -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                where = f"/admin/failed-threads{end}"
                return await client.request(method, where, json=body, headers={"x-user": user})

        for method, end, body in (
            ("GET", "", None),
            ("POST", "/retry", {"threads": {first: 1}}),
            ("POST", "/retry-all", {}),
        ):
            assert (await ask("ann", method, end, body)).status_code == 403
        found = (await ask("admin", "GET", "?limit=1&error_kind=auth")).json()
        assert [each["thread_id"] for each in found["threads"]] == [second]
        for body in ({"until": "yesterday"}, {"until": 5}, {"other": 1}, {"agent": 1}):
            assert (await ask("admin", "POST", "/retry-all", body)).status_code == 422
        assert (await ask("admin", "POST", "/retry", {"threads": {second: "1"}})).status_code == 422
        provider.works = True
        fence = {second: found["threads"][0]["seq"]}
        assert (await ask("admin", "POST", "/retry", {"threads": fence})).json() == {"retried": 1}
        rest = {"until": datetime.now(UTC).isoformat(), "agent": "assistant", "error_kind": None}
        assert (await ask("admin", "POST", "/retry-all", rest)).json() == {"retried": 1}

        async def done() -> bool:
            return not await listed(internal)

        await eventually(done)
