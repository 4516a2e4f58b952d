"""config.json (runtime-spec 1.3) to a Plan, and back."""

from .config import decode_text, load, parse, parse_text, read

__all__ = ["decode_text", "load", "parse", "parse_text", "read"]
