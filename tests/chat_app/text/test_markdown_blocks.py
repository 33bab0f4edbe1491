"""Test streamed markdown: any division into pieces renders like the whole text."""

from __future__ import annotations

import pytest

from tests.support.scripts.markdown import Scripts

pytestmark = pytest.mark.timeout(240)  # the first test fetches packages

DOCUMENTS = [
    "- a\n\n  b\n- c\n\n\n\npara\n\n1. x\n2. y\n   - z\n\n   more\n\nend",
    "1. one\n2. two\n\n   ```sql\n   SELECT 1\n   ```\n3. three\n\nafter",
    "a\n===\n\nb\n---\n\n| a |\n|---|\n| 1 |\nx\n\n> q\nlazy\n\n> r",
    "```js\nx\n```\n```\ny\n```\ntext",
    "  ```js\n  x\n y\n  ```\n``` js `x`\n\n```\n``` no end\n```\n",
    "~~~~md\n```\nin\n```\n~~~~\nafter",
    "    indented\n\n    code\n\npara\n\n\n- [ ] t\n- [x] u\n",
    "same\n\nsame\n\nsame\n\n- same\n\nsame",
    "<div>\n\n**b**\n\n</div>\n\n<!-- c\n\nd -->\n\nx",
    "line  \nbreak\r\n\r\nnext\r\n\r\n- i\r\n- j\rk",
    "a $x^2$ b\n\n$$\n\\frac{a}{b}\n\n- c\n$$\n\nend",
    "\\[\na & b \\\\\n```\n\\]\n\n- c $$d$$\n- \\(e\\)\n\n$$f$$\n\ng",
    "it costs $5 or $10\n\n$$ never ends\n\n- a",
    "text\n$$\nnever ends\n\n- a\n\n$$ a = b\n+ c\n- d $$.\n\nend",
    "text with ``` inline ``` code\n\n```inline```\n\nend",
    "The [recipe][r] is old, and ![so][r] is [r].\n\nCook it.\n\n[r]: https://example.org/recipe\n",
    "- [a]\n- b\n\n| [a] |\n|---|\n| [a] [^n] |\n\n> [a]\n\n[a]: https://example.org/a\n'title'\n\n[^n]: note [a]\n\n    more\n",
    "First.[^2] Second.[^1] [^none]\n\n[^1]: one\n[^2]: two [^3]\n\n[^3]: three\n\n[^1]: again",
    "[r]: <https://example.org>\n[r]: https://second.example\n\nHeading\n---\n[r]",
    "<details>\n<summary>More</summary>\n\n- **a**\n\n</details>\n\nafter\n\n<details open>\n\nno end",
    "H<sub>2</sub>O <b>open\n\n> [!TIP]\n> *try*\n\n> [!NOTE] not\n\n<br>\n\nx<br>y",
    "\x1b[31mred\x1b[0m and \x1b]8;;https://example.org\x07link\x1b]8;;\x07\n\n```\n\x1b[1mbold\x1b[22m\n```\n",
    "**a\x07** \u0093b\u0094 c\u0085\u0085- d\x08\n\n```\n\x01\n\x1f```\n",
    "  - n\n$$ a = b\nhard  \n\n$$ c = d\n- e\n\nf $$\n",
    "***\n\n$$ a = b\n> [!TIP]\n> t\nhard  \n\n\r\n\x1b[1mx\n-\n",
    "1.\n\n\n\tq\n\n\n-\n\nc>\n\n$$\n" + "x\n" * 110 + "$$\n",
    "これは**「締切」**です。https://example.com/を見て、https://ja.wikipedia.org/wiki/東京。\n\n**注意：**終わり",
]
LIVE = """
const wrong = [];
for (const text of TEXTS) {
  const whole = page.whole(text);
  const cuts = [...SIZES.map((size) => page.pieces(text, size)), ...SEEDS.map((seed) => page.randomPieces(text, seed))];
  for (const parts of cuts) {
    const live = page.draw(page.read(parts));
    if (live !== whole) wrong.push([parts, live, whole]);
  }
}
print(wrong.slice(0, 3));
"""


def test_pieces_of_any_size_become_the_same_page(scripts: Scripts) -> None:
    assert scripts.run(LIVE, TEXTS=DOCUMENTS, SIZES=[1, 3, 8, 21], SEEDS=[1]) == []


def test_the_specifications_examples_become_the_same_page_in_pieces(scripts: Scripts) -> None:
    texts = "const TEXTS = [...new Set([...page.examples, ...page.github.map(({ markdown }) => markdown)])];"
    script = f"{texts}\n{LIVE}"
    assert scripts.run(script, SIZES=[1], SEEDS=[7]) == []


def test_examples_one_after_the_other_become_the_same_page_in_pieces(scripts: Scripts) -> None:
    joined = "const TEXTS = page.examples.flatMap((_, i, all) => (i % 3 ? [] : [all.slice(i, i + 3).join('\\n')]));"
    assert scripts.run(f"{joined}\n{LIVE}", SIZES=[5], SEEDS=[11]) == []


BITS = [
    "a $5", "$x$ b", "$$\nx\n$$", "\\[\ny\n\\]", "$$ a = b", "+ c $$", "- a", "- b\n\n  c", "1. x", "2) y", "  - n", "- [ ] t",
    "> q", "> [!TIP]\n> t", "```js\ncode\n```", "~~~\nz", "   ```\n   x\n   ```", "    indented", "\tq", "    more",
    "| a | b |\n|--|--|\n| 1 | [r] |", "| 3 | 4 |", "# H", "H\n---", "==", "***", "-", "1.", "+", "\\", "hard  ",
    "<details>", "</details>", "<summary>s</summary>", "<sub>2</sub>", "<div>", "<!-- c", "-->", "[r]", "![i][r]",
    "[r]: https://example.org", "[r]: https://e.org\n'title'", "'title'", "[^1] x", "[^1]: note", "[a]: <b", "c>",
    "text **b", "c** d", "`co", "de`", "&amp; &#35;", "**「締」**です", "https://example.com。x", "\x1b[1mx", "a\u0301", "\r",
]  # fmt: skip
JUMBLED = """
let state = 4711;
const below = (n) => (state = (state * 48271) % 2147483647) % n;
const some = () => Array.from({ length: 2 + below(9) }, () => BITS[below(BITS.length)] + "\\n".repeat(1 + below(3))).join("");
const TEXTS = Array.from({ length: 150 }, some);
"""


def test_jumbled_markdown_becomes_the_same_page_in_pieces(scripts: Scripts) -> None:
    assert scripts.run(JUMBLED + LIVE, BITS=BITS, SIZES=[1], SEEDS=[5]) == []


NESTED = r"""
const below = (n) => (state = (state * 48271) % 2147483647) % n;
const inside = (first, rest) => (text) => first + text.replaceAll("\n", "\n" + rest);
const AROUND = [["> ", "> "], [">", ">"], ["- ", "  "], ["1. ", "   "], ["-   ", "    "], ["- [x] ", "  "], ["-\n  ", "  "], ["> - ", ">   "], ["[^1]: ", "    "]];
const bit = () => BITS[below(BITS.length)] + "\n".repeat(1 + below(2));
function some(depth) {
  const text = Array.from({ length: 1 + below(4) }, () => (depth && below(2) ? some(depth - 1) : bit())).join("");
  return below(3) ? inside(...AROUND[below(AROUND.length)])(text.trimEnd()) + "\n".repeat(1 + below(2)) : text;
}
let state = 815;
const TEXTS = Array.from({ length: 120 }, () => some(3).slice(0, 300));
"""


def test_nested_markdown_becomes_the_same_page_in_pieces(scripts: Scripts) -> None:
    assert scripts.run(NESTED + LIVE, BITS=BITS, SIZES=[], SEEDS=[3]) == []


GROWING = {
    "quote": "> a line of *words*\n>\n" * 200,
    "lines of a quote": "> a\n" * 5000,
    "quote in a quote": "> > a line of words\n> >\n" * 200,
    "alert": "> [!NOTE]\n" + "> a line with `code`\n>\n" * 200,
    "list": "- an item with **bold**\n" * 200,
    "list in a list": "- top\n" + "  - an item with **bold**\n" * 200,
    "item": "1. x\n\n" + "   a paragraph of words\n\n" * 200,
    "task": "- [ ] x\n\n" + "  a paragraph of words\n\n" * 200,
    "item in a quote": "> - x\n>\n" + ">   a paragraph of words\n>\n" * 200,
    "table": "| a | b |\n|---|---|\n" + "| 1 | *2* |\n" * 200,
    "table in a quote": "> | a | b |\n> |---|---|\n" + "> | 1 | *2* |\n" * 200,
    "table in an item": "- x\n\n  | a | b |\n  |---|---|\n" + "  | 1 | *2* |\n" * 200,
    "code in an item": "- x\n\n  ```js\n" + "  let a = 1; // code\n\n" * 200,
    "code in a quote": "> ```js\n" + "> let a = 1; // code\n" * 200,
    "indented code": "    let a = 1; // code\n" * 200,
    "html": "<div>\n" + "a line of html\n" * 200,
    "comment": "<!--\n" + "a line of html\n\n" * 200,
    "paragraph in an item": "- x\n\n" + "  a line of a log\n" * 1000,
    "definitions": "".join(f"[l{n}]: https://example.org/{n}\n" for n in range(200)),
    "footnote": "[^a]: note\n\n" + "    a paragraph of words\n\n" * 200,
}


def test_reparsed_text_does_not_grow_with_the_block(scripts: Scripts) -> None:
    script = """
const long = [];
for (const [name, text] of Object.entries(TEXTS)) {
  const blocks = new page.Blocks();
  let most = 0;
  for (const part of page.pieces(text, 100)) {
    blocks.feed(part);
    most = Math.max(most, blocks.tail.length);
  }
  if (most > (/lines|paragraph/.test(name) ? 15_000 : 1500)) long.push([name, most, text.length]);
  blocks.finish();
  if (page.draw(blocks) !== page.whole(text)) long.push([name, "differs"]);
}
print(long);
"""
    assert scripts.run(script, TEXTS=GROWING) == []


def test_a_finished_block_is_replaced_only_by_a_definition_that_it_waits_for(scripts: Scripts) -> None:
    script = """
const blocks = new page.Blocks();
const seen = [];
for (const part of page.pieces(TEXT, 3)) {
  blocks.feed(part);
  blocks.done.forEach(({ node }, i) => (seen[i] ??= new Set()).add(node));
}
print(seen.map((nodes) => nodes.size));
"""
    text = "one\n\ntwo [r]\n\n- three\n\nfour\n\n[r]: https://example.org\n\nfive\n\nsix\n"
    assert scripts.run(script, TEXT=text) == [1, 2, 1, 1, 1, 1]


ENDLESS = {
    "quotes": ">" * 5000 + " x",
    "quotes apart": "> " * 5000 + "x",
    "brackets": "[" * 5000,
    "stars": "*" * 10_000,
    "stars around": "*" * 5000 + "a" + "*" * 5000,
    "stars and lines": "*_" * 2500 + "a" + "_*" * 2500,
    "emphasis": "*a _b " * 3000,
    "formulas": "\\(" * 20_000,
    "formulas and code": "\\( a" * 10_000 + "`",
    "dollars": "$a " * 20_000,
    "double dollars": "$$a " * 10_000,
    "dollar lines": "$$\nx\n\n" * 1000,
    "list in list": "\n".join("  " * n + "- x" for n in range(300)),
    "lists in a line": "- " * 3000 + "x",
    "numbers in a line": "1. " * 2000 + "x",
    "a letter": "a" * 100_000,
    "words": "word " * 20_000,
    "lines": "a line of a log, with *stars* and `code`\n" * 2500,
    "empty lines": "\n" * 50_000,
    "tags": "<b>" * 5000 + "</b>" * 5000,
    "tags that do not end": "<a " * 20_000,
    "details": "<details>\n\n" * 1000,
    "links": "[a](" * 10_000,
    "definitions": "\n".join(f"[l{n}]: /u" for n in range(1000)) + "\n\n" + "[l1] " * 1000,
    "footnotes": "[^a]" * 3000 + "\n\n[^a]: x",
    "addresses": "https://" * 10_000,
    "letters with at": "a@" * 20_000,
    "accents": "a" + "\u0301" * 30_000,
    "escapes": "\x1b" * 20_000,
    "code": "```\n" + "a line of code\n" * 8000 + "```",
}


def test_no_text_takes_the_square_of_its_length(scripts: Scripts) -> None:
    """The slowest text takes half a second of CPU; several once took minutes or overflowed the stack."""
    script = """
const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; }; // milliseconds
const slow = [];
for (const [name, text] of Object.entries(TEXTS)) {
  const began = spent();
  const html = page.draw(page.read(page.pieces(text, 2000)));
  const took = spent() - began;
  if (took > 5000 || !html) slow.push([name, took]);
}
print(slow);
"""
    assert scripts.run(script, TEXTS=ENDLESS) == []


DEPTH = """
const deepest = (html) => { let depth = 0, most = 0; for (const [tag] of html.matchAll(/<\\/?(?:ul|ol|blockquote|strong|em|del|sup|details)\\b/g)) most = Math.max(most, (depth += tag[1] === "/" ? -1 : 1)); return most; };
print(TEXTS.map((text) => { const html = page.whole(text); return html.includes("the end") ? deepest(html) : -1; }));
"""
ROWS_OF_MARKS = {
    "quotes": ">" * 5000 + " the end",
    "bullets": "- " * 3000 + "the end",
    "numbers": "1. " * 3000 + "the end",
    "in turns": "> - 1. " * 1000 + "the end",
    "to the right": "\n".join("  " * n + "- x" for n in range(300)) + "\n\nthe end",
    "deeper by the line": "\n".join("> " * n + "x" for n in range(1, 200)) + "\n\nthe end",
}
MARKS_IN_MARKS = {
    "stars": "*" * 5000 + "a the end" + "*" * 5000,
    "bold": "**a " * 500 + "the end" + " a**" * 500,
    "struck": "~~a " * 500 + "the end" + " a~~" * 500,
    "HTML": "<sup>" * 500 + "the end" + "</sup>" * 500,
    "details": "<details>\n\n" * 1000 + "the end",
    "in a cell": "|a|\n|-|\n|" + "**a " * 500 + "the end" + " a**" * 500 + "|",
}


def test_nesting_stops_where_nobody_reads_it_and_keeps_the_words(scripts: Scripts) -> None:
    rows = dict(zip(ROWS_OF_MARKS, scripts.run(DEPTH, TEXTS=list(ROWS_OF_MARKS.values())), strict=True))
    assert {name: depth for name, depth in rows.items() if not 15 <= depth <= 22} == {}
    nested = dict(zip(MARKS_IN_MARKS, scripts.run(DEPTH, TEXTS=list(MARKS_IN_MARKS.values())), strict=True))
    assert {name: depth for name, depth in nested.items() if not 0 <= depth <= 102} == {}


def test_marks_piled_up_on_a_letter_are_thinned_out(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => [page.whole(text), page.draw(page.read(page.pieces(text, 71)))].map((html) => html.match(/\\p{M}/gu)?.length ?? 0)));"
    texts = ["a" + "\u0301" * 30_000 + " and b\u0301", "e\u0301\u0323", "क्षि नमस्ते"]
    assert scripts.run(script, TEXTS=texts) == [[17, 17], [2, 2], [4, 4]]


def test_marks_piled_up_take_no_square_of_their_number(scripts: Scripts) -> None:
    """120,000 marks in one piece once took two minutes, and now take some milliseconds."""
    script = "const html = page.whole(TEXT); print([html.match(/\\p{M}/gu).length, process.cpuUsage().user < 5e6]);"
    assert scripts.run(script, TEXT="a" + "\u0301" * 120_000 + " b") == [16, True]


def test_a_paragraph_that_is_too_long_is_shown_as_it_is_written(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => [page.whole(text), page.draw(page.read(page.pieces(text, 997)))].map(page.plain)));"
    long = "word *by* word\n" * 1000
    whole, pieces = scripts.run(script, TEXTS=[f"# Title\n\n{long}- item\n\n*end*\n"])[0]
    assert whole == pieces
    assert whole.startswith("<h1>Title</h1>word *by* word word *by* word")
    assert whole.endswith("word *by* word<ul><li>item</li></ul><p><em>end</em></p>")
