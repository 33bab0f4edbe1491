"""Texts of the demo model: an introduction, a tour of markdown, stories of any length, texts on outcomes."""

from __future__ import annotations

import json
import random
import zlib
from contextlib import suppress
from typing import Any

ABOUT = """I am the **built-in demo model**: a small program that streams like a language model and uses \
this app's real tools, so that you can try everything without an API key.

Try one of these:

- *What time is it in Tokyo, and what is 12.5 \\* (3 + 4)?* – two tools in parallel
- *Search the docs for retries* – search this project's documentation
- *Run the slow task for 10 seconds* – a tool with progress; stop it, or restart the server
- *Call the unreliable service* – it fails twice, then succeeds on retry
- *Ask me which colour I like* – a tool that waits for your answer
- *Send an e-mail to ada@example.com saying "hello"* – a tool that needs your approval
- *Show me markdown*, *Write 400 words*, *echo: anything*, *Fail with 429 twice*

**To connect a real model**, add one of these lines to `.env` and restart the app:

```sh
OPENAI_API_KEY=…            # or ANTHROPIC_, GEMINI_, GROQ_, MISTRAL_, OPENROUTER_API_KEY
CHAT_MODEL=provider/model   # any model litellm knows
OPENAI_BASE_URL=http://127.0.0.1:1234/v1   # a local OpenAI-compatible server
```

A local Ollama is detected automatically."""

MARKDOWN = """# A tour of markdown

A paragraph with **bold**, *italic*, ~~strikethrough~~ and `inline code`, and a [link](https://example.com).

## Lists

1. A numbered item
2. One with nested bullets
   - a bullet
   - another, with `code`
3. A last item

- [x] done
- [ ] to do

## A table

| Tool | Runs | After a crash |
|:-----|:----:|--------------:|
| clock | immediately | runs again |
| send_email | after approval | runs once |
| ask_human | when a person answers | keeps waiting |

## Code

```python
def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
```

```sh
make run
```

> A quote with a second line
> and some *emphasis*.

---

Inline HTML such as <b>this</b> works. So does Unicode: naïve café, 東京, العربية, 🙂.
"""

_SENTENCES = tuple(
    sentence.strip() + "."
    for sentence in """
The keeper of the lighthouse wrote every passing ship into a heavy book
On the first page stood a rule: what is written happened, and what is not written must be done again
At dusk the lamp was lit, and the line for it was written before the match was struck
Gulls slept on the railing with their heads turned into the wind
One night a storm put out the lamp in the middle of a word
When the keeper woke, the candle was cold and the sentence had no end
She read the last line twice, lit the lamp, and finished the sentence as though nothing had happened
A fishing boat came in with nets full of silver and one very old bell
The bell had no name on it, only the number of a year that nobody remembered
Every morning the tide brought letters in green bottles, and every evening it took the answers away
Some answers came back, because the sea is not careful with addresses
The keeper answered those again, with the same words, so that nobody was told two different things
Far out, another lighthouse blinked its own slow rhythm
For years they had spoken in light, one flash for yes and two for wait
In spring a young man rowed over from the mainland with flour, oil and news
He asked what the book was for, since all the ships had long gone by
It is for whoever comes after me, she said, and turned the page
They drank tea from cups that did not match and listened to the rain on the copper roof
A fog came that lasted nine days and made every sound seem near
The horn was blown by hand, once a minute, and each breath was counted in the margin
On the tenth day the sun came back and showed a harbour full of boats that had found their way
Nobody thanked the book, but nobody had been lost
The cat, who had been entered as crew, slept on chapter four
In autumn the stairs were painted white, all two hundred and twelve of them
The young man stayed for the winter and learned to write small
He found that a day is longer when it has to be put into words
Once he forgot a line, and for a week they watched the horizon for a ship that had already passed
After that he wrote first and wondered later
The lamp turned, the sea answered, and the pages filled
""".strip().splitlines()
)


def story(words: int, seed: str) -> str:
    """Return a story of exactly `words` words; the same seed gives the same story."""
    order = random.Random(zlib.crc32(seed.encode("utf-8", "replace")))
    pieces: list[str] = []
    count = 0
    while count < words:
        block = _SENTENCES if not pieces else order.sample(_SENTENCES, len(_SENTENCES))
        for start in range(0, len(block), 5):
            paragraph = " ".join(block[start : start + 5]).split()[: words - count]
            if paragraph:
                pieces.append(" ".join(paragraph))
                count += len(paragraph)
    return "\n\n".join(pieces).rstrip(".,:") + "."


def code(lines: int) -> str:
    """Return a fenced code block of exactly `lines` lines of Python."""
    body = "\n".join(f"value_{number} = {number} * {number}" for number in range(1, lines + 1))
    return f"```python\n{body}\n```"


_PHRASES = {
    "clock": "It is **{time}** on {date} ({timezone}).",
    "calculator": "`{expression}` is **{result}**.",
    "slow_task": "The slow task is done: {steps} steps in {seconds:g} seconds.",
    "unreliable_service": "The unreliable service answered **{answer}** on attempt {attempts}.",
    "send_email": "The e-mail *{subject}* to {to} is {status}. "
    "(This is a demo: the e-mail was only written to `outbox.jsonl` in the data folder.)",
}
"""Templates of the sentences on outcomes, by tool; the fields are those of the outcome."""


def describe_outcome(tool: str, content: str) -> str:
    """Return the outcome of a tool call as markdown; an outcome of an unexpected form is quoted."""
    outcome: Any = content
    with suppress(ValueError):
        outcome = json.loads(content)
    if isinstance(outcome, dict):
        with suppress(KeyError, TypeError, IndexError, ValueError):
            return _search(outcome) if tool == "search_docs" else _PHRASES[tool].format_map(outcome)
    if tool == "ask_human":
        return f"You answered: **{_text(outcome)}**. Thank you."
    return f"`{tool}` returned:\n\n> {_quoted(_text(outcome))}"


def _text(outcome: Any) -> str:
    if isinstance(outcome, dict) and set(outcome) == {"answer"}:
        outcome = outcome["answer"]
    return outcome if isinstance(outcome, str) else json.dumps(outcome, ensure_ascii=False)


def _quoted(text: str) -> str:
    return text.strip().replace("\n", "\n> ") or "(nothing)"


def _search(outcome: dict[str, Any]) -> str:
    results: list[dict[str, Any]] = outcome["results"]
    if not results:
        return f"The docs say nothing about *{outcome['query']}*."
    sections = [f"**{each['heading']}** (`{each['file']}`)\n\n> {_quoted(each['text'])}" for each in results]
    return f"From the docs about *{outcome['query']}*:\n\n" + "\n\n".join(sections)
