"""What the page of a new chat offers to send, in every language there is."""

from chat_app.i18n import ENGLISH, LANGUAGES, read

SUGGESTIONS = {
    "clock": "composer.suggest_clock",
    "book-open": "composer.suggest_docs",
    "hourglass": "composer.suggest_slow",
    "message-circle-question": "composer.suggest_ask",
}
"""Icon -> where the words stand."""
_ENGLISH = {
    str(words[key]): str(ENGLISH[key]) for words in map(read, LANGUAGES) for key in SUGGESTIONS.values()
}


def in_english(text: str) -> str:
    """Return a suggestion in English, whichever language it is in; any other text as it is."""
    return _ENGLISH.get(text.strip(), text)
