"""Cut words into their grams, by which an index finds every word that contains another.

The grams of a text are all sequences of one to three characters in its folded words; those of a searched word are the
longest of them. A text that contains the word has all of the word's grams. So any part of a word is found, in any script,
and nothing depends on where the words of Chinese or Thai begin.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from agent_core.text.plain_text import search_key

_LONGEST = 3  # characters


def words_in(text: str) -> set[str]:
    """Return the distinct words of a text, folded as a search folds its query."""
    return set(search_key(" ".join(text.split())).split())


def grams_of(words: Iterable[str]) -> set[int]:
    """Return the grams of the words of a text, each as a signed 32-bit hash."""
    found = {
        word[at : at + size] for word in words for size in (1, 2, 3) for at in range(len(word) - size + 1)
    }
    return {_hash(gram) for gram in found}


def grams_for(words: Iterable[str]) -> set[int]:
    """Return the grams that a text with all of these words has, as far as they are needed to find it."""
    found: set[str] = set()
    for word in words:
        size = min(_LONGEST, len(word))
        found |= {word[at : at + size] for at in range(len(word) - size + 1)}
    return {_hash(gram) for gram in found}


def _hash(gram: str) -> int:
    unsigned = zlib.crc32(gram.encode(errors="surrogatepass"))
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned
