"""Read streamed answers: framing, decoding, litellm's wrapper."""
