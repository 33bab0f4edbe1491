"""Rendering of text: markdown, streaming, code and formulas."""
