"""``nsisolate update``: other limits for a container."""

from __future__ import annotations

import sys

from ..runtime.errors import SpecError
from ..runtime.lifecycle import updating
from ..runtime.spec.decoding import decode
from ..runtime.spec.reader import Reader
from ..runtime.spec.resources import read_resources
from .arguments import UsageError, first, read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.execution.records import IntelRdt
    from ..runtime.resources import Resources
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate update [OPTIONS] ID

Changes the limits of a container; those that are not mentioned stay as they are.

  -r, --resources FILE         linux.resources as JSON; "-" is standard input; options come on top
  --memory BYTES               memory; -1 is no limit, and 500k, 64M, 1.5G are bytes too
  --memory-reservation BYTES   what it keeps when memory is short
  --memory-swap BYTES          memory and swap together
  --kernel-memory BYTES, --kernel-memory-tcp BYTES
                               kernel memory, where the kernel has such a limit
  --cpu-share N                weight among others (1024 is the default)
  --cpu-period MICROSECONDS, --cpu-quota MICROSECONDS
                               the quota of time in each period; -1 is no quota
  --cpu-burst MICROSECONDS     unused quota that may be saved up
  --cpu-rt-period MICROSECONDS, --cpu-rt-runtime MICROSECONDS
                               the same for real-time processes (cgroup v1)
  --cpu-idle 0|1               whether it runs only when nobody else does
  --cpuset-cpus LIST, --cpuset-mems LIST
                               CPUs and memory nodes, such as 0-3,7
  --pids-limit N               processes; -1 is no limit
  --blkio-weight N             weight among others, 10 to 1000
  --l3-cache-schema TEXT, --mem-bw-schema TEXT
                               Intel RDT
"""
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}


def number(option: str, text: str) -> int:
    """Return a whole number. Raises UsageError."""
    digits = text.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 20:
        raise UsageError(f"{option}: {text!r} is not a whole number")
    return int(text)


def number_of_bytes(option: str, text: str) -> int:
    """Return bytes: ``1000``, ``64M``, ``1.5GiB``; ``-1`` is no limit. Raises UsageError."""
    if text == "-1":
        return -1
    body = text.lower().removesuffix("b").removesuffix("i")
    unit = body[-1:] if body[-1:] in _UNITS else ""
    whole, point, fraction = body.removesuffix(unit).removesuffix(" ").partition(".")
    if not all(part.isdecimal() and part.isascii() for part in (whole, fraction if point else "0")):
        raise UsageError(f"{option}: {text!r} is not a number of bytes, such as 1000000 or 64M")
    if len(whole) + len(fraction) > 30:
        raise UsageError(f"{option}: {text!r} has too many digits")
    scaled = int(whole + fraction) << _UNITS[unit]
    return int(scaled // 10 ** len(fraction))


def _text(_option: str, text: str) -> str:
    return text


#: Option, section and property of linux.resources, and how its value is read.
_LIMITS: dict[str, tuple[str, str, Callable[[str, str], int | str]]] = {
    "--memory": ("memory", "limit", number_of_bytes),
    "--memory-reservation": ("memory", "reservation", number_of_bytes),
    "--memory-swap": ("memory", "swap", number_of_bytes),
    "--kernel-memory": ("memory", "kernel", number_of_bytes),
    "--kernel-memory-tcp": ("memory", "kernelTCP", number_of_bytes),
    "--cpu-share": ("cpu", "shares", number),
    "--cpu-period": ("cpu", "period", number),
    "--cpu-quota": ("cpu", "quota", number),
    "--cpu-burst": ("cpu", "burst", number),
    "--cpu-rt-period": ("cpu", "realtimePeriod", number),
    "--cpu-rt-runtime": ("cpu", "realtimeRuntime", number),
    "--cpu-idle": ("cpu", "idle", number),
    "--cpuset-cpus": ("cpu", "cpus", _text),
    "--cpuset-mems": ("cpu", "mems", _text),
    "--pids-limit": ("pids", "limit", number),
    "--blkio-weight": ("blockIO", "weight", number),
}
_OPTIONS = ("--resources", "-r", "--l3-cache-schema", "--mem-bw-schema", *_LIMITS)


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, options=_OPTIONS, most=1)
    container_id = required_id(positional, "update")
    resources, schemata = _resources(given), _schemata(given)
    with settings.directory(container_id) as directory:
        updating.update(directory, resources, schemata)
    return 0


def _resources(given: dict[str, str]) -> Resources | None:
    """Return the limits that the command line asks for. Raises SpecError and UsageError."""
    path = first(given, "--resources", "-r")
    config = _read(path) if path else {}
    asked = {option: text for option, text in given.items() if option in _LIMITS and text}
    for option, text in asked.items():
        section, name, convert = _LIMITS[option]
        properties = config.setdefault(section, {})
        if isinstance(properties, dict):
            properties[name] = convert(option, text)
    try:
        return read_resources(Reader(config, "resources"))
    except SpecError as error:
        for option in asked:
            section, name, _convert = _LIMITS[option]
            if error.field == f"resources.{section}.{name}":
                raise UsageError(f"{option}: {error.problem}") from None
        raise


def _read(path: str) -> dict[str, object]:
    name = "standard input" if path == "-" else repr(path)
    try:
        if path == "-":
            raw = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                raw = file.read()
    except OSError as error:
        raise UsageError(f"--resources: cannot read {name}: {error.strerror}") from None
    try:
        config = decode(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--resources: {name} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise UsageError(f"--resources: {name} is not a JSON object")
    return config


def _schemata(given: dict[str, str]) -> IntelRdt | None:
    cache, bandwidth = given.get("--l3-cache-schema", ""), given.get("--mem-bw-schema", "")
    if not cache and not bandwidth:
        return None
    from ..runtime.execution.records import IntelRdt

    return IntelRdt(l3_cache_schema=cache, mem_bw_schema=bandwidth)
