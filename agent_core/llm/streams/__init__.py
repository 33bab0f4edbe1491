"""Read answers from the wire: framing, decoding, litellm's wrapper."""
