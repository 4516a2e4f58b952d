"""The tests of pytest-nsisolate, grouped by what they need."""
