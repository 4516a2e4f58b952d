"""A plain random mutator: of JSON, by its structure, and of bytes.

hypothesis looks for small counterexamples; this one looks far from where one would look.
"""

from __future__ import annotations

import copy
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: How many cases each test tries; the documented command says how to have 100,000 of them in all.
CASES = int(os.environ.get("NSISOLATE_FUZZ_CASES", "200"))
SEED = int(os.environ.get("NSISOLATE_FUZZ_SEED", "6"))

#: Seconds that a case may take: none takes a hundredth of it.
_PATIENCE = 10.0

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**32,
    2**63,
    2**64,
    -(2**63),
    10**30,
    0.5,
    float("inf"),
    float("nan"),
    "",
    " ",
    ".",
    "..",
    "/",
    "\0",
    "\n",
    "\ud800",
    "\U0001f600",
    "%s%n",
    "../../etc/passwd",
    "/proc/self/fd/0",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    [0] * 100,
)


class Mutator:
    """Makes cases from good *samples*; the same ones each time, for the same seed."""

    def __init__(self, *samples: Any) -> None:
        self._samples = samples
        self.random = random.Random(SEED)

    def cases(self) -> Iterator[Any]:
        """Yield changed samples."""
        for _ in range(CASES):
            value = copy.deepcopy(self.random.choice(self._samples))
            for _change in range(self.random.choice((1, 1, 2, 5))):
                value = self._change(value)
            yield value

    def _change(self, value: Any) -> Any:
        if not isinstance(value, dict | list) or not value or self.random.random() < 0.1:
            return copy.deepcopy(self.random.choice(ODD))
        key = self.random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        action = self.random.random()
        if action < 0.08:
            del value[key]
        elif action < 0.16 and isinstance(value, dict):
            value[self._name(key)] = value[key]
        elif action < 0.2 and isinstance(value, list):
            value += [copy.deepcopy(value[key])] * self.random.choice((1, 3, 50))
        else:
            value[key] = self._change(value[key])
        return value

    def _name(self, name: Any) -> str:
        return self.random.choice(("", str(name).upper(), f"{name}x", "__class__", "\0"))

    def texts(self) -> Iterator[bytes]:
        """Yield the samples as JSON of which some bytes are wrong."""
        raws = [json.dumps(sample).encode() for sample in self._samples]
        for _ in range(CASES):
            yield self.spoil(self.random.choice(raws))

    def spoil(self, raw: bytes) -> bytes:
        """Return *raw* with some bytes changed, left out, or there twice."""
        spoilt = bytearray(raw)
        for _change in range(self.random.choice((1, 1, 3, 20))):
            place = self.random.randrange(len(spoilt) + 1)
            length = self.random.choice((1, 1, 4, 50))
            action = self.random.randrange(4)
            if action == 0:
                spoilt[place : place + length] = self.random.randbytes(length)
            elif action == 1:
                del spoilt[place : place + length]
            elif action == 2:
                spoilt[place:place] = spoilt[place : place + length]
            else:
                spoilt[place:place] = self.random.choice((b"[" * 2000, b'{"a":' * 500, b"9" * 9000))
        return bytes(spoilt)


@contextmanager
def in_time(case: object) -> Iterator[None]:
    """Fail if what is done with the *case* takes too long."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < _PATIENCE, f"too long for {case!r:.2000}"


def check_sentence(error: Exception) -> None:
    """Check that an error says something, and not everything that it was given."""
    sentence = str(error)
    sentence.encode(errors="surrogatepass")
    assert 0 < len(sentence) < 50_000, sentence[:500]
