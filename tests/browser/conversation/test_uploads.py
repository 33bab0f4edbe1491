"""Test files in a browser: chosen, pasted and dropped, sent to the model, and shown again after a reload."""

from __future__ import annotations

import base64
from collections.abc import Callable

from playwright.sync_api import FilePayload, expect

from tests.support.browser.chat import Chat, in_production
from tests.support.providers.provider import Provider

OpenTab = Callable[..., Chat]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE: FilePayload = {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}
BROKEN: FilePayload = {"name": "broken.png", "mimeType": "image/png", "buffer": PNG[:20]}
HAND_OVER = """([how, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], how + '.png', { type: 'image/png' }));
  const field = document.querySelector('[data-testid="composer"]');
  const event = how === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
  field.dispatchEvent(event);
}"""


@in_production
def test_a_picture_is_seen_by_the_model_and_shown_again_after_a_reload(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("What is this?", ["A dot."])
    tab = open_tab()
    expect(tab.by("composer")).to_be_editable()
    tab.by("file-input").set_input_files([PICTURE])
    expect(tab.by("chosen-file")).to_have_attribute("data-ready", "true")
    tab.reload()
    expect(tab.by("chosen-file")).to_have_text("dot.png")  # kept like the draft

    tab.send("What is this?")

    assert tab.answer_text() == "A dot."
    expect(tab.by("chosen-file")).to_have_count(0)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert provider.asked("What is this?")[-1]["messages"][-1]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    tab.reload()
    picture = tab.by("file-picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 1


@in_production
def test_a_picture_that_the_browser_cannot_read_is_a_file_with_its_name(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("And this?", ["Nothing."])
    tab = open_tab()
    expect(tab.by("composer")).to_be_editable()
    tab.by("file-input").set_input_files([BROKEN])
    expect(tab.by("chosen-file")).to_have_attribute("data-ready", "true")
    expect(tab.by("chosen-file").locator("img")).to_have_count(0)

    tab.send("And this?")

    expect(tab.by("file-link")).to_have_text("broken.png")
    expect(tab.by("file-picture")).to_have_count(0)


@in_production
def test_files_are_pasted_dropped_and_removed(open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(tab.by("composer")).to_be_editable()
    for how in ("paste", "drop"):
        tab.page.evaluate(HAND_OVER, [how, base64.b64encode(PNG).decode()])
    chosen = tab.by("chosen-file")
    expect(chosen).to_have_text(["paste.png", "drop.png"])
    chosen.first.get_by_test_id("remove-file").click()
    expect(chosen).to_have_text(["drop.png"])


@in_production
def test_refused_files_are_reported_and_the_rest_can_be_sent(
    provider: Provider, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("<file name='notes.txt'>\nRemember\n</file>", ["I shall."])
    tab = open_tab()
    expect(tab.by("composer")).to_be_editable()
    tab.by("file-input").set_input_files(
        [
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Remember"},
            {"name": "setup.exe", "mimeType": "application/x", "buffer": b"MZ\0"},
            {"name": "huge.txt", "mimeType": "text/plain", "buffer": b"x" * 10_000_001},
        ]
    )
    expect(tab.by("refused-file")).to_have_count(2)
    expect(tab.by("chosen")).to_contain_text("setup.exe is not supported")
    expect(tab.by("chosen")).to_contain_text("huge.txt is larger than 10 MB.")
    page_errors[:] = [error for error in page_errors if "415" not in error]

    tab.by("send").click()

    tab.page.wait_for_url("**/chat/thread_*")
    assert tab.answer_text() == "I shall."
    expect(tab.by("file-link")).to_have_text("notes.txt")
