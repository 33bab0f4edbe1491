"""The version of the distribution: written here only; the build, the command and the OpenAPI document read it."""

__version__ = "0.2.0.dev0"
