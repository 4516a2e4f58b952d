"""Hypothesis leaves no database in the current directory, which may not even be ours to write to."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("nsisolate", database=None, deadline=None)
settings.load_profile("nsisolate")
