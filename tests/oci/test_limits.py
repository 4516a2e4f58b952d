"""``process.rlimits`` and ``oomScoreAdj``."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import is_ours, known_of_crun

INFINITY = 2**64 - 1
NAMES = {
    "RLIMIT_AS": "Max address space",
    "RLIMIT_CORE": "Max core file size",
    "RLIMIT_CPU": "Max cpu time",
    "RLIMIT_DATA": "Max data size",
    "RLIMIT_FSIZE": "Max file size",
    "RLIMIT_LOCKS": "Max file locks",
    "RLIMIT_NOFILE": "Max open files",
    "RLIMIT_NPROC": "Max processes",
    "RLIMIT_RSS": "Max resident set",
    "RLIMIT_SIGPENDING": "Max pending signals",
    "RLIMIT_STACK": "Max stack size",
}


def limits_of(bundle: Bundle, name: str) -> list[str]:
    """Run the bundle; return the soft and hard value of a limit."""
    for line in bundle.output("cat /proc/self/limits").splitlines():
        if line.startswith(NAMES[name]):
            return line[len("Max realtime timeout      ") :].split()[:2]
    raise AssertionError(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_set(bundle: Bundle, name: str) -> None:
    """Each limit has the soft and hard values of the config, also those too low for the runtime."""
    soft, hard = {
        "RLIMIT_AS": (8_000_000, 9_000_000),
        "RLIMIT_DATA": (2_000_000, 3_000_000),
        "RLIMIT_NOFILE": (5, 6),
        "RLIMIT_STACK": (1_000_000, 2_000_000),
    }.get(name, (100, 200))
    known_of_crun(
        "meets the limits itself, which are too low", when=name in ("RLIMIT_NOFILE", "RLIMIT_FSIZE")
    )
    bundle.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    assert limits_of(bundle, name) == [str(soft), str(hard)]


def test_no_limit_is_written_as_the_largest_number(bundle: Bundle) -> None:
    """RLIM_INFINITY is 2**64-1 in the config."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert (soft, hard) == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    bundle.process["rlimits"] = [{"type": "RLIMIT_FSIZE", "soft": 4096, "hard": INFINITY}]
    assert limits_of(bundle, "RLIMIT_FSIZE") == ["4096", "unlimited"]


def test_a_limit_is_enforced(bundle: Bundle) -> None:
    """The program meets the limit."""
    bundle.process["rlimits"] = [{"type": "RLIMIT_FSIZE", "soft": 1024, "hard": 1024}]
    assert bundle.run("dd if=/dev/zero of=/tmp/big bs=1k count=10 2>/dev/null").code != 0
    assert (bundle.rootfs / "tmp/big").stat().st_size == 1024


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_hard_limit_cannot_be_raised_by_an_ordinary_user(bundle: Bundle) -> None:
    """A limit above the caller's is an error that says so, never a lower limit in silence."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": hard + 1, "hard": hard + 1}]
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert "RLIMIT_NOFILE" in finished.err
        assert str(hard) in finished.err


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ([{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}], "rlimits[0].type"),
        ([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], "rlimits[0].soft"),
        ([{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2, "rlimits[1].type"),
    ],
)
def test_a_wrong_limit_is_refused(
    bundle: Bundle, limits: list[dict[str, object]], field: str
) -> None:
    """config.md: duplicates and unknown types MUST be an error."""
    known_of_crun("takes duplicates", when=field == "rlimits[1].type")
    bundle.process["rlimits"] = limits
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert field in finished.err


def test_oom_score_adj_is_raised(bundle: Bundle) -> None:
    """``oomScoreAdj`` is the process's."""
    bundle.process["oomScoreAdj"] = 500
    assert bundle.output("cat /proc/self/oom_score_adj") == "500"


def test_without_oom_score_adj_it_is_the_callers(bundle: Bundle) -> None:
    """Without ``oomScoreAdj`` the runtime's value stays."""
    own = Path("/proc/self/oom_score_adj").read_text().strip()
    assert bundle.output("cat /proc/self/oom_score_adj") == own


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_lowering_oom_score_adj_needs_privilege(bundle: Bundle) -> None:
    """An ordinary user who asks for a lower score gets an error, and not another score."""
    capabilities.need(Path("/proc/self/oom_score_adj").read_text().strip() == "0", "a score of 0")
    bundle.process["oomScoreAdj"] = -500
    finished = bundle.run("true")
    assert finished.code == 1
    assert "oom_score_adj" in finished.err
