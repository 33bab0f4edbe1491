"""Test uploads of documents and HEIC pictures: what the page shows and downloads, and what it says without the extra."""

from __future__ import annotations

import pytest

from agent_core.text import conversion
from agent_core.text.conversion import DOCX, HEIC, PPTX, XLSX
from chat_app.files.file_types import kind_of
from tests.chat_app.files.test_uploads import browser, uploaded
from tests.chat_app.support import Serve, Tab
from tests.support.documents import docx, heic, packed

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (docx("Hi"), "letter.zip", DOCX),
        (packed({"xl/workbook.xml": ""}), "a", XLSX),
        (packed({"ppt/presentation.xml": ""}), "a.docx", PPTX),
        (packed({"evil.txt": ""}), "a.docx", None),
        (docx("Hi")[:200], "a.docx", None),
        (OLE, "encrypted.XLSX", XLSX),
        (OLE, "old.doc", None),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.jpg", HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a", HEIC),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", "a.heic", None),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a.mp4", None),
    ],
)
def test_a_document_is_known_by_its_content(data: bytes, name: str, kind: str | None) -> None:
    assert kind_of(data, name) == kind


async def test_without_the_extra_a_document_is_refused_with_its_name(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversion.convertible.cache_clear()
    monkeypatch.setattr(conversion, "_is_installed", lambda package: False)
    try:
        async with serve([]), browser() as client:
            answer = await client.post("/uploads", content=docx("Hi"), headers={"x-filename": "a.docx"})
            assert (answer.status_code, answer.json()) == (415, {"error": "extra"})
    finally:
        conversion.convertible.cache_clear()


async def test_a_damaged_or_encrypted_document_is_refused(serve: Serve) -> None:
    pytest.importorskip("mammoth", reason="requirements-dev.txt has it")
    pytest.importorskip("openpyxl", reason="requirements-dev.txt has it")
    async with serve([]), browser() as client:
        for data, name in ((packed({"word/document.xml": "<broken"}), "a.docx"), (OLE, "a.xlsx")):
            answer = await client.post("/uploads", content=data, headers={"x-filename": name})
            assert (answer.status_code, answer.json()) == (422, {"error": "unreadable"})


async def test_a_document_keeps_its_name_and_is_downloaded_as_it_was(serve: Serve, tab: Tab) -> None:
    pytest.importorskip("mammoth", reason="requirements-dev.txt has it")
    async with serve([["Read."]]) as shared, browser() as client:
        part = await uploaded(client, docx("Hi"), "letter.docx")
        assert part["mediaType"] == DOCX
        await tab.thread.send("Read", "msg_1", [part])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        (file,) = tab.thread.turn[0].files
        assert (file.name, file.picture, file.shown) == ("letter.docx", False, "")
        for path in (file.path, f"{file.path}?shown"):
            answer = await client.get(path)
            assert answer.content == docx("Hi")
            assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_heic_picture_is_shown_as_a_jpeg_and_downloaded_as_it_was(serve: Serve, tab: Tab) -> None:
    pytest.importorskip("pillow_heif", reason="requirements-dev.txt has it")
    async with serve([["Seen."]]) as shared, browser() as client:
        part = await uploaded(client, heic(), "IMG_1.HEIC")
        await tab.thread.send("Look", "msg_1", [part])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        (file,) = tab.thread.turn[0].files
        token = await shared.api.shares.create(tab.thread.open_id)
        shared_path = f"/shared/{token}/{part['url'].removeprefix('attachment:')}/IMG_1.HEIC"
        assert (file.picture, file.shown) == (True, f"{file.path}?shown")
        for path in (file.path, shared_path):
            original, shown = await client.get(path), await client.get(f"{path}?shown")
            assert original.content == heic()
            assert original.headers["content-disposition"].startswith("attachment")
            assert original.headers["content-type"] == "application/octet-stream"
            assert shown.content.startswith(b"\xff\xd8\xff")
            assert shown.headers["content-type"] == "image/jpeg"
            assert shown.headers["content-disposition"].startswith("inline")
