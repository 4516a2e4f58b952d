"""Each mount option that ``features`` claims, seen in the mount table of one container."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from .bundle import TIMEOUT, Bundle
from .mount_claims import CLAIMS, TREES, Claim
from .runtime_under_test import ours_only

pytestmark = ours_only("its claims")
ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)

#: The words of a mount's line: of the mount, of its propagation, of its file system.
Table = dict[str, set[str]]


@ROOT
def test_each_mount_option_does_what_it_says(bundle: Bundle) -> None:
    """All at once: one mount an option, in a mount namespace that has trees to bind from."""
    for option, claim in CLAIMS.items():
        _add(bundle, option, claim)
    # Otherwise nothing is left of the host's propagation, and there is nothing to be a slave of.
    bundle.linux["rootfsPropagation"] = "slave"
    table = _mount_table(bundle)
    problems = [
        f"{option}: {claim.options} on {claim.tree or 'tmpfs'}: {problem}"
        for option, claim in CLAIMS.items()
        if (problem := _problem(table, f"/o/{option}", claim))
    ]
    assert not problems, "\n".join(problems)


def _add(bundle: Bundle, option: str, claim: Claim) -> None:
    if claim.tree:
        bundle.bind(bundle.path / "trees" / claim.tree, f"/o/{option}", *claim.options)
        return
    if "remount" in claim.options:
        bundle.mount(f"/o/{option}", "tmpfs", "tmpfs")
    bundle.mount(f"/o/{option}", "tmpfs", "tmpfs", [*claim.options])


def _mount_table(bundle: Bundle) -> Table:
    """Run the bundle where the trees are mounted; return the mount table that it sees."""
    bundle.process["args"] = ["cat", "/proc/self/mountinfo"]
    lines = []
    for name, flags in TREES.items():
        tree = bundle.path / "trees" / name
        for place in (tree, tree / "below"):
            lines.append(f"mount -t tmpfs tree {place} && mkdir -p {tree}/below")
        for place in (tree / "below", tree):
            lines.append(f"mount -o remount,bind,{flags} {place} && mount --make-shared {place}")
        tree.mkdir(parents=True)
    script = " && ".join([*lines, f"exec {shlex.join(bundle.command())}"])
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done
    table: Table = {}
    for line in done.stdout.splitlines():
        mount, _, file_system = line.partition(" - ")
        _id, _parent, _device, _root, destination, flags, *propagation = mount.split()
        kind, _source, options = file_system.split()
        words = {word.partition(":")[0] for word in propagation}
        table[destination] = {*flags.split(","), *words, kind, *options.split(",")}
    return table


def _problem(table: Table, place: str, claim: Claim) -> str:
    """Return how the mount table differs from the claim, or an empty string."""
    if place not in table:
        return "it is not mounted"
    below = f"{place}/below"
    if claim.below is None:
        wanted = {place: claim.top}
        if below in table:
            return "it brought the mount below"
    else:
        wanted = {place: claim.top, below: claim.below}
        if below not in table:
            return "it lacks the mount below"
    return "; ".join(
        f"{where} has {sorted(table[where])}, and not {word}"
        for where, words in wanted.items()
        for word in words
        if (word.removeprefix("!") in table[where]) is word.startswith("!")
    )
