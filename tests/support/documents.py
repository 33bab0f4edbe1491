"""Documents for tests, made from as little XML as their readers accept; see `agent_core.text.conversion`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_SCHEMAS = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_SCHEMAS}/package/2006/relationships"
_WORD = f"{_SCHEMAS}/wordprocessingml/2006/main"


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP file with the parts."""
    out = BytesIO()
    with ZipFile(out, "w") as package:
        for name, text in parts.items():
            package.writestr(ZipInfo(name), text, ZIP_DEFLATED)  # without today's date: always the same bytes
    return out.getvalue()


def docx_parts(body: str, *, head: str = _HEAD, relations: str = "") -> dict[str, str | bytes]:
    """Return the parts of a document with a body in WordprocessingML, prefix `w`."""
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    office = f"{_SCHEMAS}/officeDocument/2006/relationships/officeDocument"
    return {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_SCHEMAS}/package/2006/content-types"><Default '
        'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{office}" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'{_HEAD}<Relationships xmlns="{_RELATIONS}">{relations}</Relationships>',
        "word/document.xml": f'{head}<w:document xmlns:w="{_WORD}" xmlns:r="{_SCHEMAS}/officeDocument/2006/'
        f'relationships" xmlns:a="{_SCHEMAS}/drawingml/2006/main"><w:body>{body}</w:body></w:document>',
    }


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph, such as one in the style Heading1."""
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(*texts: str) -> bytes:
    """Return a document with paragraphs."""
    return packed(docx_parts("".join(map(paragraph, texts))))


def xlsx(*rows: tuple[Any, ...], title: str = "Sheet") -> bytes:
    """Return a workbook with one sheet."""
    book = import_module("openpyxl").Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def pptx(title: str, *lines: str, notes: str = "") -> bytes:
    """Return a presentation with one slide."""
    made = import_module("pptx").Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = title
    slide.placeholders[1].text = "\n".join(lines)
    slide.shapes.add_table(1, 2, 0, 0, 9, 9).table.cell(0, 0).text = "cell"
    if notes:
        slide.notes_slide.notes_text_frame.text = notes
    out = BytesIO()
    made.save(out)
    return out.getvalue()


def heic(width: int = 64, height: int = 48) -> bytes:
    """Return a red picture."""
    picture = import_module("PIL.Image").new("RGB", (width, height), "red")
    out = BytesIO()
    import_module("pillow_heif").from_pillow(picture).save(out)
    return out.getvalue()
