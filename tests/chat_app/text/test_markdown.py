"""Test markdown as rendered by the page's components, against the specifications of CommonMark and GitHub."""

from __future__ import annotations

import re

import pytest

from tests.support.scripts.markdown import Scripts

pytestmark = pytest.mark.timeout(240)  # the first test fetches packages

DRAWN = "print(TEXTS.map((text) => page.plain(page.whole(text))));"
FORMULAS = 'print(TEXTS.map((text) => [...page.whole(text).matchAll(/class="formula"><code dir="ltr">([^]*?)<\\/code>/g)].map((match) => match[1].replace(/\\s+/g, \' \'))));'

BY_DESIGN = {
    "<i class": "an element of the list is one",
    "<del>": "an element of the list is one",
    "<pre language": "an element of the list is one, and <code> is",
    "<table>\n\n": "white space between blocks that are shown as text",
    "[link](#fragment)": "a link within the page of the reader would lead out of the thread",
}


def test_the_specifications_examples_are_drawn_as_the_reference_does(scripts: Scripts) -> None:
    """The only exception is raw HTML of the elements that the page supports; the reference escapes it."""
    script = """
const differ = page.examples.filter((text) => page.plain(page.whole(text)) !== page.plain(page.reference(text)));
print([page.examples.length, differ]);
"""
    count, differ = scripts.run(script)
    assert count > 600
    assert [text for text in differ if not text.startswith(tuple(BY_DESIGN))] == []


LINKED = "a bare address is a link, in the sections before it is introduced, too"
PROTOCOL = "the address is a link to mailto:, and a protocol in front of it is text"
GITHUB_DIFFERS = {491: "one tilde does not strike", 611: LINKED, 617: LINKED, 620: LINKED, 621: LINKED}
GITHUB_DIFFERS |= dict.fromkeys((633, 634, 635), PROTOCOL)


def test_the_examples_of_githubs_specification_are_drawn_as_it_says(scripts: Scripts) -> None:
    """For the exceptions listed here, with reasons, the page equals the reference, which escapes raw HTML."""
    script = """
const drawn = page.github.map(({ example, markdown, html }) => [example, markdown, page.plain(page.whole(markdown)), page.plain(html)]);
const differ = drawn.filter(([, , ours, theirs]) => ours !== theirs);
print([drawn.length, differ.map(([example, markdown, ours]) => [example, markdown, ours === page.plain(page.reference(markdown))])]);
"""
    count, differ = scripts.run(script)
    assert count > 650
    assert {example for example, _, _ in differ} >= set(GITHUB_DIFFERS)
    for example, text, is_reference in differ:
        assert example in GITHUB_DIFFERS or re.search(r"<[A-Za-z/!?]", text), text
        assert is_reference or text.startswith(tuple(BY_DESIGN)), text


GITHUB = [
    "It takes 2~4 days here and 7~9 days there.",
    "~one~ and ~~two~~, a ~~b ~c~ d~~",
    "~/bin and ~/lib, ~5 minutes, 3~",
    "| a | b |\n|:--|--:|\n| 1 | `x \\| y` |\n| 3\n",
    "- [x] done\n- [ ] to do\n\n  more",
    "see www.example.org/a_b, https://example.org/?a=b&c=d. Or (https://example.org/x_(y)) me@example.org",
    "a\n| - |\n\n1) x\n2) y\n\n***bold and*** __so__ snake_case_word",
    "![pic](https://example.org/a.png 'title') [![in link](x.png)](/there)",
    "Hello&nbsp;&copy; &#169; &lt;b&gt;\\\nnext",
]


def test_githubs_extensions_are_drawn_as_the_reference_does(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => [page.plain(page.whole(text)), page.plain(page.reference(text))]));"
    for text, (ours, theirs) in zip(GITHUB, scripts.run(script, TEXTS=GITHUB), strict=True):
        assert ours == theirs, text


BESIDE_CJK = {
    "これは**「締切」**です。また**納期（仮）**は来週です。": "これは<strong>「締切」</strong>です。また<strong>納期（仮）</strong>は来週です。",
    "**注意：**先に*「保存」*して、~~（旧）~~を消す。": "<strong>注意：</strong>先に<em>「保存」</em>して、<del>（旧）</del>を消す。",
    "这是**“重点”**，也是**《书名》**的内容。": "这是<strong>“重点”</strong>，也是<strong>《书名》</strong>的内容。",
    "이것은 **한국어(조선말)**은 **'강조'**입니다.": "이것은 <strong>한국어(조선말)</strong>은 <strong>'강조'</strong>입니다.",
    "**100％**です、**`npm i`**を実行": "<strong>100％</strong>です、<strong><code>npm i</code></strong>を実行",
    "詳細は[こちら](https://example.org/a)。": "詳細は<a https://example.org/a>こちら</a>。",
    "请访问https://example.com查看。": "请访问<a https://example.com>https://example.com</a>查看。",
    "见https://example.com/a?b=c，然后": "见<a https://example.com/a?b=c>https://example.com/a?b=c</a>，然后",
    "「https://example.com/」を見て": "「<a https://example.com/>https://example.com/</a>」を見て",
    "https://example.com/を参照": "<a https://example.com/>https://example.com/</a>を参照",
    "(https://example.com/a）、www.example.com。": "(<a https://example.com/a>https://example.com/a</a>）、<a http://www.example.com>www.example.com</a>。",
    "자세한 것은 https://example.com/docs를 보라": "자세한 것은 <a https://example.com/docs>https://example.com/docs</a>를 보라",
    "https://zh.wikipedia.org/wiki/中文 和": "<a https://zh.wikipedia.org/wiki/%E4%B8%AD%E6%96%87>https://zh.wikipedia.org/wiki/中文</a> 和",
    "https://ja.wikipedia.org/wiki/東京_(曖昧さ回避)。": "<a https://ja.wikipedia.org/wiki/%E6%9D%B1%E4%BA%AC_(%E6%9B%96%E6%98%A7%E3%81%95%E5%9B%9E%E9%81%BF)>https://ja.wikipedia.org/wiki/東京_(曖昧さ回避)</a>。",
    "https://例え.jp/x と https://example.com/?q=日本&p=1！": "<a https://%E4%BE%8B%E3%81%88.jp/x>https://例え.jp/x</a> と <a https://example.com/?q=%E6%97%A5%E6%9C%AC&p=1>https://example.com/?q=日本&amp;p=1</a>！",
    "联系me@example.com或": "联系<a mailto:me@example.com>me@example.com</a>或",
}

BESIDE_OTHERS = {
    "انظر https://example.org/a؟ ثم https://example.org/b، و": "انظر <a https://example.org/a>https://example.org/a</a>؟ ثم <a https://example.org/b>https://example.org/b</a>، و",
    "देखें https://example.org/a। फिर": "देखें <a https://example.org/a>https://example.org/a</a>। फिर",
    "voir «https://example.org/a» ou": "voir «<a https://example.org/a>https://example.org/a</a>» ou",
    "ראו https://example.org/א. ו": "ראו <a https://example.org/%D7%90>https://example.org/א</a>. ו",
    "см. https://ru.wikipedia.org/wiki/Язык, да": "см. <a https://ru.wikipedia.org/wiki/%D0%AF%D0%B7%D1%8B%D0%BA>https://ru.wikipedia.org/wiki/Язык</a>, да",
}


CASELESS = {
    "ข้อความ**“สำคัญ”**มาก ~~(เก่า)~~ใหม่": "ข้อความ<strong>“สำคัญ”</strong>มาก <del>(เก่า)</del>ใหม่",
    "و**«كلمة»** مُهِمٌّ**«نص»**ه": "و<strong>«كلمة»</strong> مُهِمٌّ<strong>«نص»</strong>ه",
    'ב**"הארץ"** *(כן)*ש': 'ב<strong>"הארץ"</strong> <em>(כן)</em>ש',
    'தமிழ்**"முக்கியம்"**உரை': 'தமிழ்<strong>"முக்கியம்"</strong>உரை',
    "ខ្មែរ**«សំខាន់»**ណាស់": "ខ្មែរ<strong>«សំខាន់»</strong>ណាស់",
    "ก__ข__ค": "ก__ข__ค",
    "Цена**«тысяча»**рублей": "Цена**«тысяча»**рублей",  # as CommonMark says
    "cafe\u0301**«x»**y": "cafe\u0301**«x»**y",
}


def test_emphasis_works_beside_letters_without_case(scripts: Scripts) -> None:
    drawn = scripts.run(DRAWN, TEXTS=list(CASELESS))
    for (text, expected), found in zip(CASELESS.items(), drawn, strict=True):
        assert found == f"<p>{expected}</p>", text


def test_addresses_end_before_the_punctuation_of_other_scripts(scripts: Scripts) -> None:
    drawn = scripts.run(DRAWN, TEXTS=list(BESIDE_OTHERS))
    for (text, expected), found in zip(BESIDE_OTHERS.items(), drawn, strict=True):
        assert found == f"<p>{expected}</p>", text


def test_emphasis_and_addresses_work_beside_chinese_japanese_and_korean(scripts: Scripts) -> None:
    drawn = scripts.run(DRAWN, TEXTS=list(BESIDE_CJK))
    for (text, expected), found in zip(BESIDE_CJK.items(), drawn, strict=True):
        assert found == f"<p>{expected}</p>", text


NO_FORMULAS = [
    "Add $GOPATH:$GOBIN.",
    "It costs US$40 or CA$ 55.",
    "between $5 and $10, from $5 to 10$, $5-$10, ($5)/($10), $5/$6",
    "He paid $20 (not 30$), then $1.5M–$2M, A$AP, R$ 50 e R$ 60, AU$30/NZ$35",
    '$HOME/bin:$PATH, ${HOME}/${USER}, $1,$2, echo $A$B, "$5" and "$6", $?',
    "jQuery: $('.a').add($('#b')); PHP: $foo->bar($baz); $a = $b + 1;",
    "a \\$x\\$ and `$x$` and ``\\(y\\)`` and $x `and y$`",
    "price range $$-$$$, $$ or $$$, between $$ and $$ places",
    "$ 3 $ and $3 $ and $ 3$",
    "cited in \\[1\\], \\[2, 3\\] and \\(4\\); a \\[link\\](x) and \\[ref\\]: y",
    "```\n$$x$$\n\\(y\\)\n```\n\n    $z$\n",
    "$$\nnever ends\n\n- a",
    "\\\\(x\\\\) and \\( no end",
]


def test_prices_variables_and_code_are_no_formulas(scripts: Scripts) -> None:
    assert scripts.run(FORMULAS, TEXTS=NO_FORMULAS) == [[]] * len(NO_FORMULAS)


WITH_FORMULAS = {
    "a $x_1 + y$, $$z$$ and \\(w\\), \\[x\\]": ["$x_1 + y$", "$$z$$", "\\(w\\)", "\\[x\\]"],
    "$x$, $\\alpha$-decay, the $n$th, $k$s, ($f(x)$), 设$x$为$y$。": [
        "$x$",
        "$\\alpha$",
        "$n$",
        "$k$",
        "$f(x)$",
        "$x$",
        "$y$",
    ],
    "costs $5, where $x = 5$": ["$x = 5$"],
    "$a*b*c$ is no emphasis, $a_b_c$ neither, $a<b$ no tag, $|x|$": [
        "$a*b*c$",
        "$a_b_c$",
        "$a&lt;b$",
        "$|x|$",
    ],
    "$$\n\\frac{a}{b}\n$$\n\nand\n\n\\[ c \\]": ["$$ \\frac{a}{b} $$", "\\[ c \\]"],
    "text\n\\[\na\n+ b\n- c\n\\]\nmore": ["\\[ a + b - c \\]"],
    "$$a = b\n+ c$$": ["$$a = b + c$$"],
    "\\[ x = \\begin{cases} 1 \\\\\n- 2 \\end{cases} \\].": [
        "\\[ x = \\begin{cases} 1 \\\\ - 2 \\end{cases} \\]."
    ],
    "- in a list: $$q$$\n- $r$\n\n  $$\n  s\n  $$\n1. x\n   \\[\n   t\n   \\]": [
        "$$q$$",
        "$r$",
        "$$ s $$",
        "\\[ t \\]",
    ],
    "> $$\n> q\n> $$": ["$$ q $$"],
    "| $a$ | b |\n|---|---|\n| \\(c\\) | $5 |": ["$a$", "\\(c\\)"],
    "**$x$** and *\\(y\\)* and [$z$](https://example.org)": ["$x$", "\\(y\\)", "$z$"],
    "\\(2+3\\) and \\(a\\)\\(b\\)": ["\\(2+3\\)", "\\(a\\)", "\\(b\\)"],
    "```math\n\\sqrt{2}\n```": ["\\sqrt{2}"],
}


def test_formulas_are_found_in_any_place(scripts: Scripts) -> None:
    found = scripts.run(FORMULAS, TEXTS=list(WITH_FORMULAS))
    for (text, expected), formulas in zip(WITH_FORMULAS.items(), found, strict=True):
        assert formulas == expected, text


HTML = {
    "| x | soup<br>bread |\n|---|---|": "<table><thead><tr><th>x</th><th>soup<br>bread</th></tr></thead></table>",
    "H<sub>2</sub>O, x<sup>2</sup>, <kbd>Ctrl</kbd>+<KBD class='k'>C</KBD>": "<p>H<sub>2</sub>O, x<sup>2</sup>, <kbd>Ctrl</kbd>+<kbd>C</kbd></p>",
    '<u>a **b**</u> <mark style="color:red">c</mark> <ins>d</ins> <small>e</small>': "<p><u>a <strong>b</strong></u> <mark>c</mark> <ins>d</ins> <small>e</small></p>",
    "Use the <b> tag, or </b>, a <i>b": "<p>Use the <b> tag, or </b>, a &lt;i>b</p>",
    "<b>a <i>b</b> c</i>": "<p><b>a &lt;i>b</b> c&lt;/i></p>",
    "**a <sub>b** c</sub>": "<p><strong>a &lt;sub>b</strong> c&lt;/sub></p>",
    "<details>\n<summary>More &amp; more</summary>\n\n- **a**\n\n</details>\n\nafter": "<details><summary>More &amp; more</summary><ul><li><strong>a</strong></li></ul></details><p>after</p>",
    "<details open><summary>One</summary>Two <b>three</b></details>": "<details><summary>One</summary>Two <b>three</b></details>",
    "<details>\n\n<details>\n\na\n\n</details>\n\nb\n\n</details>\n\nc": "<details><details><p>a</p></details><p>b</p></details><p>c</p>",
    "- a\n\n  <details>\n\n  b\n\n  </details>\n- c": "<ul><li><p>a</p><details><p>b</p></details></li><li><p>c</p></li></ul>",
    "a\n\n<hr>\n\nb <hr> c": "<p>a</p><hr></hr><p>b &lt;hr> c</p>",
    "x <details> y": "<p>x &lt;details> y</p>",
    "<center>a</center> <span>b</span> <font color=red>c</font> <!-- d -->": "&lt;center>a&lt;/center> &lt;span>b&lt;/span> &lt;font color=red>c&lt;/font> &lt;!-- d -->",
    "> [!TIP]\n> *try* it\n>\n> - so": "<alert tip><p><em>try</em> it</p><ul><li>so</li></ul></alert>",
    "> [!warning]  \n> a": "<alert warning><p>a</p></alert>",
    "> [!NOTE]\n> - only a list": "<alert note><ul><li>only a list</li></ul></alert>",
    "> [!TIP] in the line\n> a": "<blockquote><p>[!TIP] in the line a</p></blockquote>",
    "> [!OTHER]\n> a": "<blockquote><p>[!OTHER] a</p></blockquote>",
}


def test_some_html_and_alerts_are_known_and_the_rest_is_text(scripts: Scripts) -> None:
    drawn = scripts.run(DRAWN, TEXTS=list(HTML))
    for (text, expected), found in zip(HTML.items(), drawn, strict=True):
        assert found == expected, text


HOSTILE = [
    "<script>window.hacked = 1</script> <img src=x onerror='window.hacked=1'>",
    "<b onclick=alert(1)>a</b> <details open ontoggle=alert(1)>\n\nx\n\n</details>",
    '<details ontoggle="alert(1)" open>\n<summary onfocus=alert(1) tabindex=1>s</summary>\n\nx',
    "<style>*{display:none}</style>\n\n<link rel=stylesheet href=//evil.example>",
    "<svg><script>alert(1)</script></svg> <math><mtext></mtext></math> <iframe srcdoc='<b>'></iframe>",
    '<form action=//evil.example><input name=a><button>b</button></form> <a href="javascript:alert(1)">x</a>',
    "[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x) [d](JaVaScRiPt:x) [e](  javascript:x)",
    "[f](&#106;avascript:alert(1)) [g](java\nscript:x) <javascript:alert(1)> ![h](data:image/svg+xml,x)",
    "[i][j]\n\n[j]: javascript:alert(1)\n\n[k](file:///etc/passwd) [l](//evil.example)",
    "<abbr title='x\" onmouseover=\"alert(1)'>a</abbr> <kbd style='position:fixed;inset:0'>b</kbd>",
    "<sub/onclick=alert(1)>a</sub> <b\nonclick=alert(1)>b</b> <u><script>c</u>",
    "$\\href{javascript:alert(1)}{x}$ \\(\\htmlData{a=b}{x}\\) <xmp><plaintext><template><base href=//x>",
]
INERT = """
const names = new Set(), hrefs = [], kinds = new Set();
for (const text of TEXTS) {
  const html = page.whole(text);
  for (const [, tag, attributes] of html.replace(/<svg[^]*?<\\/svg>/g, "").matchAll(/<([a-z0-9]+)((?: [^>]*)?)>/g)) {
    kinds.add(tag);
    for (const [, name, value] of attributes.matchAll(/ ([\\w-]+)="([^"]*)"/g)) {
      names.add(name);
      if (name === "href" || name === "src") hrefs.push(value);
    }
  }
}
print([[...kinds].sort(), [...names].sort(), hrefs]);
"""


def test_nothing_hostile_becomes_an_element_an_attribute_or_an_address(scripts: Scripts) -> None:
    kinds, names, hrefs = scripts.run(INERT, TEXTS=HOSTILE)
    assert hrefs == []
    assert set(kinds) <= {"abbr", "b", "code", "details", "div", "kbd", "p", "span", "sub", "summary", "u"}
    assert set(names) <= {"class", "dir", "open", "title"}


def test_links_and_footnotes_are_those_of_their_definitions(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => page.whole(text)));"
    text = (
        "The [recipe][r].[^a] Again.[^A] [^b]\n\n[r]: https://example.org/recipe 'so'\n[^b]: two\n[^a]: one\n"
    )
    [html] = scripts.run(script, TEXTS=[text])
    assert (
        '<a href="https://example.org/recipe" title="so" target="_blank" rel="noopener noreferrer nofollow">'
        in html
    )
    assert html.count('href="#m-note-1"') == 2
    assert html.count('href="#m-note-2"') == 1
    assert html.index('id="m-note-1"') < html.index(">one") < html.index('id="m-note-2"') < html.index(">two")


def test_open_marks_are_drawn_closed_while_more_is_to_come(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => page.plain(page.shownAfter([text]))));"
    shown = {
        "H<sub>2": "<p>H<sub>2</sub></p>",
        "**bold": "<p><strong>bold</strong></p>",
        "<details>\n<summary>More": "<details><summary>More</summary></details>",
        "```js\nlet x": "<pre>let x</pre>",
        "$$\n\\frac{a}": "<pre>\\frac{a}</pre>",
    }
    assert scripts.run(script, TEXTS=list(shown)) == list(shown.values())


def test_code_reads_from_the_left_in_prose_that_reads_from_the_right(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => page.whole(text)));"
    texts = ["הריצו `npm install` עכשיו", "شغّل `a(1, 2);` ثم", "```js\nlet x = [1];\n```", "ערך $x$ כאן"]
    for html in scripts.run(script, TEXTS=texts):
        assert (
            '<code dir="ltr"' in html or '<pre dir="ltr"' in html or 'dir="ltr"' in html.split("<code")[0]
        ), html
    assert '<p dir="auto">' in scripts.run(script, TEXTS=texts)[0]


RUNNING = {
    "> ציטוט `x`": ("blockquote", "rtl"),
    "> - פריט": ("blockquote", "rtl"),
    "- פריט\n\n- שני": ("ul", "rtl"),
    "1. `let x` ואז": ("ol", "rtl"),
    "- 12\n- $x$ اسم": ("ul", "rtl"),
    "| `x` | שם |\n|---|---|\n| a | b |": ("table", "rtl"),
    "> [!TIP]\n> טיפ": ('div class="md-alert tip"', "rtl"),
    "<details>\n<summary>עוד</summary>\n\nא\n\n</details>": ("details", "rtl"),
    "x[^1]\n\n[^1]: הערה": ("section", "rtl"),
    "> A quote of עברית": ("blockquote", "ltr"),
    "- über עברית\n- שני": ("ul", "ltr"),
    "| name | שם |\n|---|---|": ("table", "ltr"),
}


def test_blocks_run_the_way_of_their_first_letter_however_deep_it_stands(scripts: Scripts) -> None:
    script = """
const tagOf = (html, tag) => html.match(new RegExp(`<${tag}[ >][^>]*>?`))[0];
print(TEXTS.map(([text, tag]) => /dir="(\\w+)"/.exec(tagOf(page.whole(text), tag))?.[1]));
"""
    found = scripts.run(script, TEXTS=[[text, tag] for text, (tag, _) in RUNNING.items()])
    for (text, (_, way)), shown in zip(RUNNING.items(), found, strict=True):
        assert shown == way, text


def test_columns_are_wide_enough_for_their_words_and_no_wider_than_sixteen_letters(scripts: Scripts) -> None:
    script = "print(TEXTS.map((text) => [...page.whole(text).matchAll(/min-width:calc\\((\\d+)ch/g)].map((match) => +match[1])));"
    texts = {
        "| a | words |\n|---|---|\n| `npm i` | **a sentence that goes on and on** |\n| c | d |": [5, 16],
        "| [link](https://example.org/long/address) | H<sub>2</sub>O<br>x |\n|---|---|": [4, 1],
        "| 東京タワー | $\\frac{a}{b}$ |\n|---|---|\n| a | b |": [10, 1],
        "|  | b |\n|---|---|": [0, 1],
    }
    assert scripts.run(script, TEXTS=list(texts)) == list(texts.values())


def test_escapes_of_terminals_are_taken_out_of_text_and_code(scripts: Scripts) -> None:
    texts = [
        "\x1b[1;31mred\x1b[0m words",
        "a \x1b]8;;https://x.example\x07link\x1b]8;;\x07",
        "```\n\x1b[32mok\x1b[0m\n```",
        "one\u009b31m two",
    ]
    assert scripts.run(DRAWN, TEXTS=texts) == [
        "<p>red words</p>",
        "<p>a link</p>",
        "<pre>ok</pre>",
        "<p>one two</p>",
    ]


def test_control_characters_are_taken_out_of_text_and_code(scripts: Scripts) -> None:
    texts = ["a\x07b \x01c\x7f\u0093d\u0094", "one\u0085two\tthree", "```\nx\x08\x1fy\n```"]
    assert scripts.run(DRAWN, TEXTS=texts) == ["<p>ab cd</p>", "<p>one two three</p>", "<pre>xy</pre>"]


def test_chemical_formulas_are_formulas(scripts: Scripts) -> None:
    assert scripts.run(FORMULAS, TEXTS=["Water is $\\ce{H2O}$."]) == [["$\\ce{H2O}$"]]
