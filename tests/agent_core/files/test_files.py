"""Files: stored before they are sent, deleted with their thread, and sent to the model by their type."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.domain.field_limits import MAX_FILE_BYTES
from agent_core.errors import AgentCoreError, ThreadNotFoundError, ValidationError
from agent_core.store.database.sql import FILE
from agent_core.store.threads import files
from agent_core.testing import FakeClock, ScriptedModel
from tests.providers.loopback import Stream, delta, provider
from tests.support.agents import agent_on, finished
from tests.support.databases import prepared, select_all

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TEXT = "Ünïcode\n</file> and \u2028 more"
PDF = b"%PDF-1.7 not much"


def file_rows(path: Path) -> list[str]:
    return sorted(row[0] for row in select_all(path, [FILE])["agent_file"])


async def test_model_reads_text_files_of_other_encodings(path: Path) -> None:
    model = ScriptedModel([["Read."]])
    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", model))
        windows = await api.add_file("Grüße aus Köln – 5 €".encode("cp1252"), media_type="text/plain")
        named = await api.add_file("北京".encode("gbk"), media_type='text/plain; charset="gbk"')
        await finished(api, await api.create_thread([windows, named]))
    said = [part["text"] for part in model.requests[0][-1]["content"]]
    assert ["Grüße aus Köln – 5 €" in said[0], "北京" in said[1]] == [True, True]


async def test_the_model_gets_each_file_as_what_it_is_at_every_step(path: Path) -> None:
    """The bodies are checked as a loopback server received them from litellm."""
    said = Stream([delta("Seen.", finish="stop")])
    async with provider(said, said) as server, Runtime(prepared(path)) as runtime:
        agent = Agent("a", "openai/gpt-4o", api_base=server.url, api_key="none")
        api = define_internal_agent_api(runtime, agent)
        parts = [
            {"type": "text", "text": "Look"},
            await api.add_file(PNG, media_type="image/png", filename="dot.png"),
            await api.add_file(TEXT.encode(), media_type="text/plain", filename="notes.txt"),
            await api.add_file(PDF, media_type="application/pdf", filename="paper.pdf"),
        ]
        thread = await finished(api, await api.create_thread(parts))
        assert thread.status == "completed", thread.error
        await api.send_message(thread.id, "And again?")
        await finished(api, thread)
        for request in server.requests:
            assert request["messages"][0]["content"] == [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}},
                {"type": "text", "text": f"<file name='notes.txt'>\n{TEXT}\n</file>"},
                {
                    "type": "file",
                    "file": {
                        "file_data": data_url("application/pdf", PDF),
                        "filename": "paper.pdf",
                        **({"format": "application/pdf"} if "format" in str(request) else {}),
                    },
                },
            ]
        assert len(server.requests) == 2
        stored = (await api.list_messages(thread.id))[0].parts
        assert stored == parts
        assert "base64" not in str(stored)


def data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


async def test_a_file_lives_is_forked_and_is_deleted_with_its_thread(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Seen."]) as api:
        part = await api.add_file(PNG, media_type="image/png")
        file_id = hashlib.sha256(PNG).hexdigest()
        assert part == {"type": "file", "mediaType": "image/png", "url": f"attachment:{file_id}"}
        thread = await finished(api, await api.create_thread([part]))
        found = await api.read_file(thread.id, file_id)
        assert found is not None
        assert (found.data, found.media_type) == (PNG, "image/png")
        await api.send_message(thread.id, [part, {"type": "text", "text": "The same again"}])
        await finished(api, thread)
        first = (await api.list_messages(thread.id))[0]
        fork = await api.fork_thread(thread.id, first.id)
        await api.delete_thread(thread.id)
        with pytest.raises(ThreadNotFoundError):
            await api.read_file(thread.id, file_id)
        assert await api.read_file(fork.id, file_id) == found
        assert await api.read_file(fork.id, "0" * 64) is None
        await api.delete_thread(fork.id)
    assert file_rows(path) == [files.WAITING]


async def test_a_file_that_was_never_sent_is_forgotten_after_a_day(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, lambda messages: ["Seen."], runtime={"clock": clock}) as api:
        part = await api.add_file(PNG, media_type="image/png")
        await api.add_file(PNG, media_type="image/png")  # the same bytes are stored once
        assert file_rows(path) == [files.WAITING]
        clock.advance(86_000)
        await api.store.writer.run(files.forget, clock.now() - 86_400)
        assert file_rows(path) == [files.WAITING]
        clock.advance(500)
        await api.store.writer.run(files.forget, clock.now() - 86_400)
        assert file_rows(path) == []
        with pytest.raises(ValidationError, match="attach it again"):
            await api.create_thread([part])
        assert await api.list_threads() == []


async def test_a_file_that_is_gone_leaves_a_sentence_and_a_thread_that_goes_on(path: Path) -> None:
    model = ScriptedModel(lambda messages: ["Yes."])
    async with agent_on(path, model) as api:
        part = await api.add_file(PNG, media_type="image/png")
        thread = await finished(api, await api.create_thread([part]))

        def lose(tx: Any) -> None:
            tx.cursor.execute("delete from agent_file")

        await api.store.writer.run(lose)
        await api.send_message(thread.id, "Still there?")
        assert (await finished(api, thread)).status == "completed"
    assert "no longer stored" in model.requests[-1][0]["content"][0]["text"]


@pytest.mark.parametrize(
    "given",
    ["attachment:", "attachment:../../etc/passwd", "ATTACHMENT:" + "0" * 64, "attachment:" + "0" * 63 + "\n"],
)
async def test_a_url_that_only_looks_like_a_file_is_refused(path: Path, given: str) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(ValidationError):
            await api.create_thread([{"type": "file", "mediaType": "image/png", "url": given}])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "image/png"),
        (bytes(MAX_FILE_BYTES + 1), "image/png"),
        (b"x", "text/plain\r\nX: y"),
        (b"x", "text/"),
        (PNG, "png"),
        (PNG, "a/b/c"),
        (PNG, "a/\0"),
    ],
)
async def test_unusable_files_are_refused(path: Path, data: bytes, kind: str) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(AgentCoreError):
            await api.add_file(data, media_type=kind)
        assert file_rows(path) == []
