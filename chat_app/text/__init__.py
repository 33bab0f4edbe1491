"""Text as it is drawn: markdown, streaming, code and formulas."""
