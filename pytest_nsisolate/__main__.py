"""``python -m pytest_nsisolate``: the command line's door."""

from .cli import main

main()
