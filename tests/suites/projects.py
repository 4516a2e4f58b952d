"""The projects whose suites are compared, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Project:
    """A project on PyPI, by version, and what its suite needs besides pytest."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


PROJECTS = (
    Project(
        "structlog",
        "26.1.0",
        (
            "pytest-asyncio",
            "pytest-randomly",
            "rich",
            "simplejson",
            "time-machine>=2.14.1",
            "twisted",
        ),
        ("-p", "randomly", "--randomly-seed=20"),
    ),
    Project("marshmallow", "4.4.0", ("simplejson",)),
    Project("more-itertools", "11.2.1"),
    Project("cachetools", "8.0.2"),
    Project("tomlkit", "0.15.2", ("pyyaml",)),
    Project("freezegun", "1.5.5"),
    Project("toolz", "1.2.0"),
    Project("pyfakefs", "6.3.2"),
    Project("pexpect", "4.9.0"),
    Project(
        "werkzeug",
        "3.1.9",
        ("cryptography", "ephemeral-port-reserve", "pytest-timeout", "watchdog"),
    ),
    Project(
        "anyio",
        "4.16.0",
        ("hypothesis", "psutil", "pytest-mock", "pytest-timeout", "trio", "trustme", "uvloop"),
    ),
    Project("click", "8.5.1"),
)
