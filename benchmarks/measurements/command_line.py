"""A busybox bundle, by the command lines of runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..laboratory import Laboratory


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    commands = {
        "crun": ["crun"],
        "runc": ["runc"],
        "python -m pytest_nsisolate": laboratory.ours(console_script=False),
        "nsisolate": laboratory.ours(console_script=True),
    }
    for name, command in commands.items():
        laboratory.command(name, *command)
    laboratory.bubblewrap()


def _ratio(laboratory: Laboratory, ours: str, theirs: str, unit: str) -> float:
    return laboratory.median(f"run, {ours} ({unit})") / laboratory.median(f"run, {theirs} ({unit})")


def module_to_crun(laboratory: Laboratory) -> float:
    """Return the ratio of ``python -m pytest_nsisolate run`` to crun."""
    return _ratio(laboratory, "python -m pytest_nsisolate", "crun", "ms")


def module_to_runc(laboratory: Laboratory) -> float:
    """Return the ratio of ``python -m pytest_nsisolate run`` to runc."""
    return _ratio(laboratory, "python -m pytest_nsisolate", "runc", "ms")


def script_to_crun(laboratory: Laboratory) -> float:
    """Return the ratio of ``nsisolate run`` to crun."""
    return _ratio(laboratory, "nsisolate", "crun", "ms")


def memory_to_runc(laboratory: Laboratory) -> float:
    """Return the ratio of the peak memory of ``nsisolate run`` to runc's."""
    return _ratio(laboratory, "nsisolate", "runc", "KiB")
