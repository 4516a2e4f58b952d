"""A test's sandbox as an OCI bundle, for ``nsisolate run``, or crun, or runc."""

from __future__ import annotations

import json
import os

from ..runtime.mounts.skeleton import write
from ..runtime.plan import Plan, Root
from ..runtime.spec.writer import to_config
from .kinds import Sandbox
from .sandbox import prepare


def write_bundle(sandbox: Sandbox, directory: str, *, args: tuple[str, ...], cwd: str) -> Plan:
    """Write *sandbox* to the empty directory *directory* as a bundle that runs *args* in *cwd*.

    The skeleton goes to ``rootfs``, what overlays keep to ``scratch``. The mounts are those of a test.
    Returns the plan. Raises OSError if the directory cannot be written to.
    """
    directory = os.path.realpath(directory)
    scratch = os.path.join(directory, "scratch")
    prepared = prepare(sandbox, cwd=cwd, scratch=scratch)
    rootfs = os.path.join(directory, "rootfs")
    os.makedirs(rootfs)
    write(prepared.skeleton, rootfs)
    for mount in prepared.plan.mounts:
        for option in mount.options:
            if option.startswith(("upperdir=", "workdir=")):
                os.makedirs(option.partition("=")[2])
    process = prepared.plan.process
    assert process is not None, "a sandbox's plan has a process"
    env = tuple(f"{name}={value}" for name, value in os.environ.items())
    plan = prepared.plan.replace(
        root=Root(path="rootfs", readonly=prepared.plan.root.readonly),
        process=process.replace(args=args, env=env),
    )
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(to_config(plan), file, indent=4)
    return plan
