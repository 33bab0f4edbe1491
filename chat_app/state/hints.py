"""How a person can mend what the provider refused, by kind of error."""

HINTS = {
    "auth": "Check the provider's key in the environment or in .env, restart, and retry.",
    "insufficient_credits": "The provider's account has no credit left. Top it up, or choose another model with CHAT_MODEL.",
    "invalid_request": "Check the name of the model (CHAT_MODEL) and the provider's key, restart, and retry.",
    "context_window_exceeded": "This thread is longer than the model can read. Start a new chat, or choose a model with a larger context.",
    "rate_limited": "The provider limits how often it may be asked. Wait a moment and retry.",
    "network": "The provider could not be reached. Check the connection and the address (OPENAI_BASE_URL), and retry.",
    "provider_5xx": "The provider has a problem of its own. Retrying later usually helps.",
    "truncated": "The answer broke off on the way. Retry to have it written again.",
    "StepLimitError": "The agent took as many steps as it may. Continue to let it go on.",
    "PoisonedStepError": "This step stopped the server several times and was set aside. Retry once the cause is found.",
}
DEFAULT = "Retry, or write another message."


def hint(kind: str | None) -> str:
    """Return what to do about an error of this kind, as a sentence."""
    return HINTS.get(kind or "", DEFAULT)
