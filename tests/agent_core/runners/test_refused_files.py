"""Files that the provider refuses: they fail the turn that brought them, and no later turn."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.domain.messages import Thread
from agent_core.errors import ModelError
from agent_core.store.database.sql import REFUSED_FILE
from agent_core.testing import ScriptedModel
from tests.providers.loopback import Answer, Stream, delta, provider
from tests.support.agents import AT_ONCE, agent_on, finished, texts
from tests.support.databases import prepared, select_all

BROKEN = b"\x89PNG\r\n\x1a\n broken"
WORDS = "Could not process image"
REFUSAL = ModelError(WORDS + ".", kind="invalid_request", status=400)


def pictures(messages: list[dict[str, Any]]) -> int:
    return json.dumps(messages).count('"image_url": {')


def strict(messages: list[dict[str, Any]]) -> list[Any]:
    """Answer like a provider that cannot read pictures."""
    return [REFUSAL] if pictures(messages) else ["Fine."]


async def sent(api: AgentApi, thread: Thread, prompt: Any) -> Thread:
    await api.send_message(thread.id, prompt)
    return await finished(api, thread)


async def picture(api: AgentApi, data: bytes = BROKEN) -> dict[str, Any]:
    return await api.add_file(data, media_type="image/png", filename="dot.png")


async def test_a_refused_file_fails_only_the_turn_that_brought_it(path: Path) -> None:
    model = ScriptedModel(strict)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        assert (thread.status, thread.error) == ("failed", WORDS + ".")
        assert (await sent(api, thread, "Hello?")).status == "completed"
        told = json.dumps(model.requests[-1])
        assert WORDS in told
        assert "left out" in told
        assert len(model.requests) == 2, "it is left out without asking first"
    async with agent_on(path, model) as api:
        assert (await sent(api, thread, "And after a restart?")).status == "completed"
        assert len(model.requests) == 3
        assert model.requests[2][:2] == model.requests[1][:2], "it stays the same for the provider's cache"


async def test_resuming_the_turn_sends_the_refused_file_again(path: Path) -> None:
    answers: list[Any] = [[REFUSAL], [REFUSAL], ["I see a dot."], ["Yes."]]
    model = ScriptedModel(answers)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        await api.resume_thread(thread.id)
        assert (await finished(api, thread)).status == "failed"
        await api.resume_thread(thread.id)
        assert (await finished(api, thread)).status == "completed"
        assert [pictures(request) for request in model.requests] == [1, 1, 1]
        await sent(api, thread, "Is it a dot?")
        assert pictures(model.requests[-1]) == 1, "it was taken, so it is sent again"


async def test_editing_the_message_sends_the_refused_file_again(path: Path) -> None:
    model = ScriptedModel([["First."], [REFUSAL], ["Well."], ["I see."]])
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        await sent(api, thread, [await picture(api)])
        await sent(api, thread, "Hello?")
        assert pictures(model.requests[-1]) == 0
        shown = await api.list_messages(thread.id)
        await api.edit_message(thread.id, shown[2].id, shown[2].parts)
        assert (await finished(api, thread)).status == "completed"
        assert pictures(model.requests[-1]) == 1


async def test_same_file_sent_once_more_is_tried_again(path: Path) -> None:
    model = ScriptedModel([[REFUSAL], ["Seen."]])
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        assert (await sent(api, thread, [await picture(api)])).status == "completed"
        assert pictures(model.requests[-1]) == 1


async def test_thread_poisoned_by_an_older_version_recovers(path: Path) -> None:
    """An older version failed the turn without remembering the refusal."""
    model = ScriptedModel(strict)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        await api.store.writer.run(lambda tx: tx.cursor.execute("delete from agent_refused_file"))
        assert (await sent(api, thread, "Hello?")).status == "completed"
        assert [pictures(request) for request in model.requests] == [1, 1, 0]
        assert (await sent(api, thread, "Once more?")).status == "completed"
        assert len(model.requests) == 4


async def test_good_pictures_stay_where_a_broken_one_is_left_out(path: Path) -> None:
    good = base64.b64encode(b"good").decode()

    def answer(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Seen."] if pictures(messages) == json.dumps(messages).count(good) else [REFUSAL]

    model = ScriptedModel(answer)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api, b"good")]))
        assert (await sent(api, thread, [await picture(api)])).status == "failed"
        assert (await sent(api, thread, "Hello?")).status == "completed"
        assert good in json.dumps(model.requests[-1])


async def test_another_model_is_shown_what_the_first_one_refused(path: Path) -> None:
    blind, seeing = ScriptedModel(strict), ScriptedModel(lambda _: ["I see."])
    blind.name, seeing.name = "blind", "seeing"
    async with Runtime(prepared(path)) as runtime:
        first = define_internal_agent_api(runtime, Agent("first", blind, retry=AT_ONCE))
        second = define_internal_agent_api(runtime, Agent("second", seeing, retry=AT_ONCE))
        thread = await finished(first, await first.create_thread([await picture(first)]))
        await first.update_thread(thread.id, agent="second")
        assert (await sent(second, thread, "And you?")).status == "completed"
        assert pictures(seeing.requests[-1]) == 1
        await first.update_thread(thread.id, agent="first")
        assert (await sent(first, thread, "And you again?")).status == "completed"


async def test_model_that_sees_nothing_goes_on_with_a_thread_of_pictures(path: Path) -> None:
    seeing, blind = ScriptedModel(lambda _: ["I see."]), ScriptedModel(strict)
    blind.name = "blind"
    async with Runtime(prepared(path)) as runtime:
        first = define_internal_agent_api(runtime, Agent("first", seeing, retry=AT_ONCE))
        second = define_internal_agent_api(runtime, Agent("second", blind, retry=AT_ONCE))
        thread = await finished(first, await first.create_thread([await picture(first)]))
        await first.update_thread(thread.id, agent="second")
        assert (await sent(second, thread, "And you?")).status == "completed"
        assert [pictures(request) for request in blind.requests] == [1, 0]


@pytest.mark.sqlite  # every error writes the same rows
@pytest.mark.parametrize(
    ("error", "left_out"),
    [
        (ModelError("Bad request.", kind="invalid_request", status=400), True),
        (ModelError("image input is not supported.", kind="provider_5xx", retryable=True, status=500), True),
        (
            ModelError("No endpoints found that support image input.", kind="invalid_request", status=404),
            True,
        ),
        (ModelError("Your key is wrong.", kind="auth", status=401), False),
        (ModelError("Slow down.", kind="rate_limited", retryable=True), False),
        (ModelError("No connection.", kind="network", retryable=True), False),
        (ModelError("There is no such model.", kind="invalid_request", status=404), False),
    ],
)
async def test_only_an_error_about_the_file_leaves_it_out(
    path: Path, error: ModelError, left_out: bool
) -> None:
    failing = True

    def answer(_: Any) -> list[Any]:
        return [error] if failing else ["Fine."]

    model = ScriptedModel(answer)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        assert thread.status == "failed"
        failing = False
        await sent(api, thread, "Hello?")
    assert pictures(model.requests[-1]) == (0 if left_out else 1)


async def test_refusal_is_forked_and_deleted_with_its_thread(path: Path) -> None:
    model = ScriptedModel(strict)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([await picture(api)]))
        fork = await api.fork_thread(thread.id, (await api.list_messages(thread.id))[0].id)
        await sent(api, fork, "Hello?")
        assert pictures(model.requests[-1]) == 0
        assert len(model.requests) == 2
        assert len(select_all(path, [REFUSED_FILE])["agent_refused_file"]) == 2
        for each in (thread, fork):
            await api.delete_thread(each.id)
    assert select_all(path, [REFUSED_FILE])["agent_refused_file"] == []


async def test_refused_file_that_stands_in_its_url_is_left_out_too(path: Path) -> None:
    model = ScriptedModel(strict)
    part = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"}
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread([part]))
        assert (await sent(api, thread, "Hello?")).status == "completed"
        assert len(model.requests) == 2


@pytest.mark.sqlite  # decoded before it is stored
@pytest.mark.parametrize(
    ("kind", "head", "body", "words"),
    [
        ("text/plain", "text/plain;base64", base64.b64encode("Grüße".encode()).decode(), "Grüße"),
        ("text/plain", "text/plain;charset=utf-8", "Gr%C3%BC%C3%9Fe%20da", "Grüße da"),
        (
            "text/plain",
            "text/plain;charset=cp1252;base64",
            base64.b64encode("Grüße".encode("cp1252")).decode(),
            "Grüße",
        ),
        ("text/csv", "text/csv;base64", base64.b64encode(b"a,b").decode().rstrip("="), "a,b"),
        ("application/json", "application/json;base64", base64.b64encode(b'{"a": 1}').decode(), '{"a": 1}'),
    ],
)
async def test_text_in_a_data_url_is_read_as_text(
    path: Path, kind: str, head: str, body: str, words: str
) -> None:
    model = ScriptedModel([["Read."]])
    part = {"type": "file", "mediaType": kind, "url": f"data:{head},{body}", "filename": "notes"}
    async with agent_on(path, model) as api:
        await finished(api, await api.create_thread([part]))
    (given,) = model.requests[0][-1]["content"]
    assert given == {"type": "text", "text": f"<file name='notes'>\n{words}\n</file>"}


async def test_broken_data_url_is_left_to_the_provider(path: Path) -> None:
    model = ScriptedModel([["Hm."]])
    part = {"type": "file", "mediaType": "text/plain", "url": "data:text/plain;base64,%%%"}
    async with agent_on(path, model) as api:
        await finished(api, await api.create_thread([part]))
    assert model.requests[0][-1]["content"][0]["type"] == "file"


async def test_refusal_over_the_wire(tmp_path: Path) -> None:
    refusal = Answer(
        400, {"error": {"message": "You uploaded an unsupported image.", "type": "invalid_request_error"}}
    )
    said = Stream([delta("Hi.", finish="stop")])
    async with provider(refusal, said) as server, Runtime(prepared(tmp_path / "agents.db")) as runtime:
        agent = Agent("a", "openai/gpt-4o", api_base=server.url, api_key="none", retry=AT_ONCE)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread([await picture(api)]))
        assert thread.error == "You uploaded an unsupported image."
        await sent(api, thread, "Hello?")
        assert (await texts(api, thread))[-1] == "Hi."
        assert "image_url" not in json.dumps(server.requests[-1])
