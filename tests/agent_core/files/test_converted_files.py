"""Test that models get converted documents, always the same, and that people keep the originals."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.domain.messages import Part, attachment_id
from agent_core.errors import ValidationError
from agent_core.store.database.sql import FILE
from agent_core.testing import ScriptedModel
from agent_core.text import conversion
from agent_core.text.conversion import DOCX, HEIC
from tests.support.agents import agent_on, finished
from tests.support.databases import select_all
from tests.support.documents import docx, heic

for package in ("mammoth", "markdownify", "pillow_heif"):
    pytest.importorskip(package, reason="requirements-dev.txt has it")

WORDS = docx("Grüße", "aus Köln")
GIVEN = {"type": "text", "text": "<file name='letter.docx'>\nGrüße\n\naus Köln\n\n</file>"}


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The media types of the files that are converted meanwhile."""
    run, seen = conversion._run, list[str]()

    def noted(data: bytes, media_type: str) -> bytes:
        seen.append(media_type)
        return run(data, media_type)

    monkeypatch.setattr(conversion, "_run", noted)
    return seen


async def letter(api: Any) -> Part:
    return await api.add_file(WORDS, media_type=DOCX, filename="letter.docx")


def given(model: ScriptedModel) -> list[Any]:
    """Return what the model got of the first message, at each request."""
    return [request[0]["content"][0] for request in model.requests]


async def test_a_document_is_converted_once_and_given_as_text_ever_after(
    path: Path, conversions: list[str]
) -> None:
    model = ScriptedModel(lambda messages: ["Read."])
    async with agent_on(path, model) as api:
        part = await letter(api)
        assert (part["mediaType"], part["filename"]) == (DOCX, "letter.docx")
        thread = await finished(api, await api.create_thread([part]))
        await api.send_message(thread.id, "And?")
        await finished(api, thread)
    async with agent_on(path, model) as api:  # after a restart
        messages = await api.list_messages(thread.id)
        assert messages[0].parts == [part]
        fork = await api.fork_thread(thread.id, messages[1].id)
        await api.send_message(fork.id, "And here?")
        await finished(api, fork)
        await api.edit_message(thread.id, messages[0].id, [part, {"type": "text", "text": "Again"}])
        await finished(api, thread)
        for each in (thread, fork):
            file = await api.read_file(each.id, str(attachment_id(part["url"])))
            assert file is not None
            assert (file.data, file.media_type) == (WORDS, DOCX)
    assert given(model) == [GIVEN] * 4
    assert conversions == [DOCX]


async def test_an_exported_thread_has_the_original_which_is_converted_where_it_is_imported(
    path: Path, conversions: list[str]
) -> None:
    async with agent_on(path, lambda messages: ["Read."]) as api:
        thread = await finished(api, await api.create_thread([await letter(api)]))
        made = json.loads(json.dumps(await api.export_thread(thread.id)))
    assert [base64.b64decode(file["data"]) for file in made["files"].values()] == [WORDS]
    model = ScriptedModel(lambda messages: ["Read."])
    async with agent_on(path.with_name("other.db"), model) as other:
        copied = await other.import_thread(made)
        for words in ("And?", "And now?"):
            await other.send_message(copied.id, words)
            await finished(other, copied)
    assert given(model) == [GIVEN] * 2
    assert conversions == [DOCX, DOCX]


async def test_a_damaged_document_is_refused_when_it_is_added_and_a_sentence_when_it_is_imported(
    path: Path, conversions: list[str]
) -> None:
    model = ScriptedModel(lambda messages: ["Read."])
    async with agent_on(path, model) as api:
        with pytest.raises(
            ValidationError, match=r"^The file a\.docx cannot be read: it is damaged"
        ) as caught:
            await api.add_file(WORDS[:400], media_type=DOCX, filename="a.docx")
        assert (caught.value.code, caught.value.params) == ("file_unreadable", {"name": "a.docx"})
        assert select_all(path, [FILE])["agent_file"] == []
        conversion.convertible.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conversion, "_is_installed", lambda package: False)
            part = await api.add_file(WORDS[:400], media_type=DOCX, filename="a.docx")
            thread = await finished(api, await api.create_thread([part]))
        conversion.convertible.cache_clear()
        for words in ("And?", "And now?"):
            await api.send_message(thread.id, words)
            await finished(api, thread)
    first, *later = given(model)
    assert first["type"] == "file"  # without the extra, the model gets the file as it is
    assert later == [{"type": "text", "text": "[The attached a.docx cannot be read.]"}] * 2
    assert conversions == [DOCX, DOCX]


async def test_a_heic_picture_is_given_as_a_jpeg(path: Path) -> None:
    model = ScriptedModel(lambda messages: ["Seen."])
    async with agent_on(path, model) as api:
        part = await api.add_file(heic(), media_type=HEIC, filename="IMG_1.HEIC")
        thread = await finished(api, await api.create_thread([part]))
        file = await api.read_file(thread.id, str(attachment_id(part["url"])))
        assert file is not None
        assert (file.data, file.media_type) == (heic(), HEIC)
    assert file.converted is not None
    url = f"data:image/jpeg;base64,{base64.b64encode(file.converted).decode()}"
    assert given(model) == [{"type": "image_url", "image_url": {"url": url}}]
