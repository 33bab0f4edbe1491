"""Test the text that a screen reader gets of an answer, without a server: elements, sentences, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

SPOKEN_TEXT = Path(__file__).parents[3] / "chat_app" / "conversation" / "spoken_text.js"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    script = SPOKEN_TEXT.read_text(encoding="utf-8")
    page.evaluate(
        "async (script) => { window.hearing = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))); }",
        script,
    )
    yield page
    page.close()


def called(page: Page, name: str, *arguments: Any) -> Any:
    return page.evaluate("([name, given]) => window.hearing[name](...given)", [name, list(arguments)])


SENTENCES = {
    "english": ("It rains. It", "It rains. "),
    "quoted": ('He said "No." Then', 'He said "No." '),
    "no end": ("It rains", ""),
    "number": ("It costs 3.50 euros", ""),
    "file": ("Open main.py and", ""),
    "chinese": ("今天下雨。明天", "今天下雨。"),
    "chinese question": ("下雨吗？不下", "下雨吗？"),
    "japanese quote": ("「雨です。」と", "「雨です。」"),
    "halfwidth": ("ｱﾒ｡ﾊﾚ", "ｱﾒ｡"),
    "wide stop": ("雨．晴", "雨．"),
    "hindi": ("वर्षा हो रही है। कल", "वर्षा हो रही है। "),
    "urdu": ("بارش ہے۔ کل", "بارش ہے۔ "),
    "arabic": ("هل تمطر؟ لا", "هل تمطر؟ "),
    "armenian": ("Անձրև է։ Վաղը", "Անձրև է։ "),
    "burmese": ("မိုးရွာသည်။ မနက်", "မိုးရွာသည်။ "),
    "khmer": ("ភ្លៀង។ ស្អែក", "ភ្លៀង។ "),
    "ethiopic": ("ዝናብ ነው። ነገ", "ዝናብ ነው። "),
    "tibetan": ("ཆར་པ། སང", "ཆར་པ། "),
    "french quote": ("Il dit « Non. » Puis", "Il dit « Non. » "),
    "interrobang": ("What‽ Yes", "What‽ "),
    "doubled": ("What⁉ Yes", "What⁉ "),
    "emoji": ("Done! 🎉 Next", "Done! "),
    "wide number": ("３．５", ""),
    "line": ("One\nTwo", "One\n"),
}


@pytest.mark.parametrize(("text", "read"), SENTENCES.values(), ids=SENTENCES)
def test_sentence_ends_as_its_script_ends_it(page: Page, text: str, read: str) -> None:
    assert text[: called(page, "lastSentenceEnd", text, 0)] == read


ELEMENTS = {
    "<p>One <b>two</b></p><p>Three</p>": "One two\nThree\n",
    "<p>soup<br>bread</p>": "soup\nbread\n",
    '<p>See <img alt="A cat" src="data:,"> here</p>': "See A cat here\n",
    '<p>See <img alt="" src="data:,">here</p>': "See here\n",
    "<dl><dt>Tea</dt><dd>Hot</dd></dl>": "Tea\nHot\n",
    "<table><caption>Prices</caption><tr><td>a</td><td>b</td></tr></table>": "Prices\na\nb\n",
    "<ul><li>One</li><li>Two</li></ul>": "One\nTwo\n",
    "<p>One</p><hr><p>Two</p>": "One\nTwo\n",
    "<figure><svg><text>x</text></svg><figcaption>Sales</figcaption></figure>": "Sales\n",
    '<svg role="img" aria-label="A diagram"><text>jumble</text></svg><p>After</p>': "A diagram\nAfter\n",
    "<p>a<button>Copy</button><span hidden>no</span></p>": "a\n",
    "<details><summary>More</summary><p>Inside</p></details>": "More\nInside\n",
}


@pytest.mark.parametrize(("html", "words"), ELEMENTS.items(), ids=range(len(ELEMENTS)))
def test_words_of_an_element_are_those_that_it_shows(page: Page, html: str, words: str) -> None:
    found = page.evaluate(
        "(html) => { const box = document.createElement('span'); box.innerHTML = html; return window.hearing.spokenText(box); }",
        html,
    )
    lines = [" ".join(line.split()) for line in found.split("\n")]
    assert [line for line in lines if line] == [line for line in words.split("\n") if line]


BEGUN = "I am sorry, I cannot look at the weather. Please ask me later. "
AGAIN = {
    "goes on": (BEGUN, BEGUN + "Now it rains.", "Now it rains."),
    "nothing new": (BEGUN, BEGUN, ""),
    "began anew and short": (BEGUN, "It rains.", "It rains."),
    "began anew and as long": (BEGUN, "It rains in Rome, and the sun shines in Oslo all day long.", None),
    "began anew and longer": (BEGUN, "It rains in Rome. " * 9, None),
    "began the same": (
        BEGUN,
        "I am sorry, it rains in Rome, and the sun shines in Oslo.",
        "it rains in Rome, and the sun shines in Oslo.",
    ),
    "a link far before": ("See [a][r] first. " + BEGUN, "See a first. " + BEGUN + "Now.", "Now."),
    "cut": (BEGUN, "I am sorry, I can", ""),
    "first": ("", "It rains.", "It rains."),
}


@pytest.mark.parametrize(("before", "text", "rest"), AGAIN.values(), ids=AGAIN)
def test_text_that_was_begun_again_is_read_where_it_differs(
    page: Page, before: str, text: str, rest: str | None
) -> None:
    assert text[called(page, "spokenLength", before, text) :] == (text if rest is None else rest)
