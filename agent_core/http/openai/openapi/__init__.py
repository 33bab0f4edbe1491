"""Describe OpenAI's paths: an OpenAPI document."""
