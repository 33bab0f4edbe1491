"""Convert one document: `python -P converters.py MEDIA_TYPE < FILE > RESULT`; see `agent_core.text.conversion`.

It runs in a process of its own, which may be killed, because the file is whatever somebody has uploaded, and it
imports nothing of `agent_core`, so that it starts fast. Nothing in a document is executed or fetched: formulas
give the values that were saved with them, and macros, linked and embedded files are not opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module  # the libraries are optional, and most have no types
from io import BytesIO
from typing import Any
from xml.parsers import expat
from zipfile import ZipFile

MAX_TEXT = 500_000
"""Most characters of a converted document."""
MAX_UNPACKED = 200_000_000
"""Most bytes of the parts of a document together, once they are unpacked."""
MAX_PARTS = 10_000
"""Most parts of a document."""
MAX_ROWS = 100_000
"""Most rows of all sheets together that are read, empty ones included."""
MAX_CELLS = 2_000_000
"""Most cells of all sheets together that are read, empty ones included."""
MAX_PIXELS = 100_000_000
"""Most pixels of a picture."""
MAX_EDGE = 2_048
"""Longest edge of a converted picture, in pixels; models scale down larger ones."""
MAX_MEMORY = 2 << 30
"""Most bytes of memory, where the system can limit them."""
MAX_SECONDS = 60
"""Most seconds of processor time, where the system can limit them."""

CUT = "\n\n[The document is cut here: it is longer than what is given of it.]\n"

OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = f"{OFFICE}wordprocessingml.document"
XLSX = f"{OFFICE}spreadsheetml.sheet"
PPTX = f"{OFFICE}presentationml.presentation"
HEIC = "image/heic"


class _RefusedError(Exception):
    """The document has something that no document of its type needs."""


def _markdown_of_docx(data: bytes) -> bytes:
    _check_package(data)
    mammoth: Any = import_module("mammoth")
    convert: Any = import_module("markdownify").markdownify

    def left_out(_: object) -> list[object]:
        return []

    html = mammoth.convert_to_html(
        BytesIO(data), convert_image=left_out, include_embedded_style_map=False, external_file_access=False
    ).value
    most = 4 * MAX_TEXT  # converting takes long, and little HTML is tags
    text = convert(html[:most], heading_style="ATX", table_infer_header=True)
    return _bounded([text.strip() + "\n"], was_cut=len(html) > most)


def _markdown_of_xlsx(data: bytes) -> bytes:
    _check_package(data)
    load: Any = import_module("openpyxl").load_workbook
    book = load(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    return _bounded(_sheets(book.worksheets))


def _sheets(sheets: Iterable[Any]) -> Iterator[str]:
    rows = cells = 0
    for sheet in sheets:
        yield f"## {_line(sheet.title)}\n\n"
        sheet.reset_dimensions()  # a sheet may say that it is smaller than it is
        is_first = True
        for row in sheet.iter_rows(values_only=True):
            rows, cells = rows + 1, cells + len(row)
            if rows > MAX_ROWS or cells > MAX_CELLS:
                yield CUT
                return
            if any(value is not None for value in row):
                yield _table_row(row, is_first)
                is_first = False
        yield "\n"


def _markdown_of_pptx(data: bytes) -> bytes:
    _check_package(data)
    slides = import_module("pptx").Presentation(BytesIO(data)).slides
    return _bounded(piece for number, slide in enumerate(slides, 1) for piece in _slide(number, slide))


def _slide(number: int, slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    named = title is not None and _line(title.text_frame.text)
    yield f"## Slide {number}: {named}\n\n" if named else f"## Slide {number}\n\n"
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            yield from _shape(shape)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        yield f"Notes: {notes.text.strip()}\n\n"


def _shape(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):  # a group
        for inner in shape.shapes:
            yield from _shape(inner)
    elif getattr(shape, "has_table", False):
        for place, row in enumerate(shape.table.rows):
            yield _table_row([cell.text for cell in row.cells], place == 0)
        yield "\n"
    elif getattr(shape, "has_text_frame", False):
        lines = [
            f"{'  ' * each.level}- {_line(each.text)}\n"
            for each in shape.text_frame.paragraphs
            if each.text.strip()
        ]
        if lines:
            yield from (*lines, "\n")


def _jpeg_of_heic(data: bytes) -> bytes:
    picture: Any = import_module("pillow_heif").open_heif(BytesIO(data))  # decodes nothing yet
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _RefusedError(f"The picture has {width} × {height} pixels.")
    image = picture.to_pillow()
    profile = image.info.get("icc_profile")
    image.thumbnail((MAX_EDGE, MAX_EDGE))
    out = BytesIO()  # without the Exif data: where the picture was taken is nobody's business
    image.convert("RGB").save(out, "JPEG", quality=85, icc_profile=profile)
    return out.getvalue()


def _table_row(values: Iterable[object], is_first: bool) -> str:
    cells = ["" if value is None else _line(value).replace("|", "\\|") for value in values]
    while cells and not cells[-1]:
        cells.pop()
    row = f"| {' | '.join(cells)} |\n"
    return row + f"|{' --- |' * max(len(cells), 1)}\n" if is_first else row


def _line(value: object) -> str:
    return " ".join(str(value)[:MAX_TEXT].split())


def _bounded(pieces: Iterable[str], *, was_cut: bool = False) -> bytes:
    """Return the text of the pieces, cut to `MAX_TEXT` characters with a note that says so."""
    taken: list[str] = []
    room = MAX_TEXT
    for piece in pieces:
        taken.append(piece[:room])
        if len(piece) > room:
            was_cut = True
            break
        room -= len(piece)
    return ("".join(taken) + CUT * was_cut).encode("utf-8", "replace")


def _check_package(data: bytes) -> None:
    """Refuse a package that is too large unpacked, is encrypted, or has XML with a DTD, and so with entities.

    `zipfile` unpacks no more of a part than the bytes that are checked here.
    """
    with ZipFile(BytesIO(data)) as package:
        parts = package.infolist()
        size = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or size > MAX_UNPACKED:
            raise _RefusedError(f"The document has {len(parts)} parts of {size} bytes.")
        for part in parts:
            with package.open(part) as opened:
                _check_xml(opened.read)


def _check_xml(read: Callable[[int], bytes]) -> None:
    """Refuse XML with a DTD, which stands before the first element; other bytes are no XML to anybody."""
    parser = expat.ParserCreate()
    begun: list[str] = []

    def refuse(*_: object) -> None:
        raise _RefusedError("The document has a DTD.")

    def begin(name: str, _: object) -> None:
        begun.append(name)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    while not begun and (chunk := read(4_096)):
        try:
            parser.Parse(chunk)
        except expat.ExpatError:
            return


CONVERTERS: dict[str, tuple[Callable[[bytes], bytes], str, tuple[str, ...]]] = {
    DOCX: (_markdown_of_docx, "text/markdown", ("mammoth", "markdownify")),
    XLSX: (_markdown_of_xlsx, "text/markdown", ("openpyxl",)),
    PPTX: (_markdown_of_pptx, "text/markdown", ("pptx",)),
    HEIC: (_jpeg_of_heic, "image/jpeg", ("pillow_heif", "PIL")),
}
"""By media type: what converts it, the media type of the result, and the packages that this needs."""


def _limit() -> None:
    """Limit the memory, and the processor time, because nobody ends a process whose parent was killed."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    except (ImportError, OSError, ValueError):
        pass  # Windows has no limits; and one that is lower already stays


def _main() -> None:
    _limit()
    try:
        result = CONVERTERS[sys.argv[1]][0](sys.stdin.buffer.read())
    except Exception as error:  # whatever a library raises for a damaged file
        sys.exit(f"{type(error).__name__}: {error!s:.300}")
    sys.stdout.buffer.write(result)


if __name__ == "__main__":
    _main()
