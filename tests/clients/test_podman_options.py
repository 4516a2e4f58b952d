"""The options of ``podman run``: what they make of the container."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from . import image
from .podman import Podman, for_everyone


@for_everyone
def test_environment_directory_and_user(podman: Podman) -> None:
    """Environment, working directory, user, groups and umask are as asked for."""
    script = "echo $FROM_IMAGE $ASKED; pwd; id -u; id -g; id -G; umask"
    options = ["--env=ASKED=too", "--workdir=/data", f"--user={image.USER}", "--group-add=7"]
    found = podman.output(script, *options, "--umask=0027")
    assert found == f"yes too\n/data\n{image.UID}\n{image.GID}\n{image.GID} 7\n0027"


def test_read_only(podman: Podman) -> None:
    """``--read-only`` leaves /tmp writable, and nothing else."""
    script = "touch /tmp/x && ! touch /data/x && echo done"
    assert podman.output(script, "--read-only") == "done"


@for_everyone
def test_tmpfs_keeps_what_the_image_has(podman: Podman) -> None:
    """``--tmpfs`` over a directory of the image starts with what that holds, and is limited."""
    script = "cat /data/from-image; grep ' /data ' /proc/mounts; touch /data/x"
    found = podman.output(script, "--tmpfs=/data:size=64k")
    assert found.startswith("from the image\n")
    assert "tmpfs" in found
    assert "size=64k" in found


@for_everyone
def test_bind_mount(podman: Podman) -> None:
    """A directory of the host: what is written is there, unless it is read-only."""
    directory = podman.directory("host")
    assert podman.output("echo written > /there/x", f"--volume={directory}:/there") == ""
    assert (directory / "x").read_text() == "written\n"
    script = "cat /there/x; ! touch /there/y"
    assert podman.output(script, f"--volume={directory}:/there:ro") == "written"
    assert os.listdir(directory) == ["x"]


@for_everyone
def test_named_volume(podman: Podman) -> None:
    """A volume begins with what the image has there, and outlives the container."""
    podman.output("echo kept > /data/kept", "--volume=store:/data")
    script = "cat /data/*; grep -c ' /data ' /proc/mounts"
    assert podman.output(script, "--volume=store:/data") == "from the image\nkept\n1"
    podman.ok("volume", "rm", "store")


@for_everyone
@pytest.mark.parametrize(
    ("options", "mask"),
    [(["--cap-drop=all"], 0), (["--cap-drop=all", "--cap-add=chown,net_raw"], 1 | 1 << 13)],
)
def test_capabilities(podman: Podman, options: list[str], mask: int) -> None:
    """The container has the capabilities that were left to it."""
    script = "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status"
    found = podman.output(script, *options).split()[1::2]
    assert [int(value, 16) for value in found] == [mask] * 3


@for_everyone
def test_privileged(podman: Podman) -> None:
    """``--privileged`` gives capabilities and unmasks /proc."""
    script = "grep CapEff /proc/self/status; grep -c ' /proc/' /proc/mounts"
    plain, masks = podman.output(script).splitlines()
    assert int(masks) > 0
    # grep fails when it counts none.
    privileged, masks = podman.output(f"{script}; true", "--privileged").splitlines()
    assert masks == "0"
    assert int(privileged.split()[1], 16).bit_count() > int(plain.split()[1], 16).bit_count()


def test_masked_paths(podman: Podman) -> None:
    """``mask=`` hides paths of the image."""
    script = "ls -A /data; cat /proc/timer_list"
    assert podman.output(script, "--security-opt=mask=/data") == ""


@pytest.mark.parametrize(("option", "bit"), [([], 0), (["--security-opt=no-new-privileges"], 1)])
def test_no_new_privileges(podman: Podman, option: list[str], bit: int) -> None:
    """``no-new-privileges`` is set if asked for."""
    assert podman.output("grep NoNewPrivs /proc/self/status", *option).split()[1] == str(bit)


@for_everyone
def test_seccomp_profile(podman: Podman) -> None:
    """A profile of the user's own makes a system call fail as it says, and no other."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    file = podman.room.write(podman.room.path / "seccomp.json", json.dumps(profile))
    script = "touch /tmp/x && mkdir /tmp/y 2>&1; true"
    found = podman.output(script, f"--security-opt=seccomp={file}")
    assert "No space left on device" in found


@pytest.mark.parametrize(
    ("options", "mode"), [([], "2"), (["--security-opt=seccomp=unconfined"], "0")]
)
def test_default_seccomp_profile(podman: Podman, options: list[str], mode: str) -> None:
    """Without an option there is podman's own profile; ``unconfined`` is none."""
    assert podman.output("grep Seccomp: /proc/self/status", *options).split()[1] == mode


@for_everyone
def test_host_pids(podman: Podman) -> None:
    """With ``--pid=host`` the container sees the host's processes."""
    script = f"test -d /proc/{os.getpid()} && readlink /proc/self/ns/pid"
    assert podman.output(script, "--pid=host") == os.readlink("/proc/self/ns/pid")


@for_everyone
def test_namespaces_of_the_host(podman: Podman) -> None:
    """The container stays in the host's namespaces where told to."""
    script = "readlink /proc/self/ns/net; readlink /proc/self/ns/uts"
    found = podman.output(script, "--network=host", "--uts=host")
    assert found.split() == [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "uts")]


def test_ipc_of_the_host(podman: Podman) -> None:
    """``--ipc=host`` likewise."""
    found = podman.output("readlink /proc/self/ns/ipc", "--ipc=host")
    assert found == os.readlink("/proc/self/ns/ipc")


def test_no_network(podman: Podman) -> None:
    """``--network=none`` is a network of its own that has ``lo`` alone."""
    found = podman.output("tail -n +3 /proc/net/dev | cut -d: -f1", "--network=none")
    assert found.split() == ["lo"]


@for_everyone
def test_namespaces_of_another_container(podman: Podman) -> None:
    """A container may share the namespaces of another one."""
    podman.start("echo ready; sleep 1000", "--ipc=shareable")
    kinds = ["pid", "ipc", "network"]
    script = "for kind in pid ipc net; do readlink /proc/self/ns/$kind; done"
    shared = podman.output(script, *(f"--{kind}=container:box" for kind in kinds))
    assert shared == podman.ok("exec", "box", "sh", "-c", script)
    assert os.readlink("/proc/self/ns/pid") not in shared


def test_init(podman: Podman) -> None:
    """``--init`` puts a process between that reaps."""
    script = "cat /proc/1/comm; (sleep 0 & exec true); echo $$"
    assert podman.output(script, "--init").splitlines()[0] in {"catatonit", "podman-init"}


def test_limits_of_resources(podman: Podman) -> None:
    """rlimits, the OOM score and the size of /dev/shm are as asked for."""
    script = "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep ' /dev/shm ' /proc/mounts"
    options = [
        "--ulimit=nofile=100:200",
        "--ulimit=nproc=300:400",
        "--oom-score-adj=600",
        "--shm-size=128k",
    ]
    soft, hard, score, shm = podman.output(script, *options).splitlines()
    assert (soft, hard, score) == ("100", "200", "600")
    assert "size=128k" in shm


def test_sysctl(podman: Podman) -> None:
    """A kernel parameter of the container's own namespace."""
    script = "cat /proc/sys/kernel/msgmax"
    assert podman.output(script, "--sysctl=kernel.msgmax=12345") == "12345"


@pytest.mark.parametrize("access", ["rwm", "r"])
def test_device(podman: Podman, access: str) -> None:
    """A device of the host, to be used as far as the option says."""
    script = "(: </dev/mine) && echo read; (: >/dev/mine) && echo written"
    options = [f"--device=/dev/kmsg:/dev/mine:{access}", "--cap-add=syslog"]
    finished = podman("run", "--rm", *options, image.NAME, "sh", "-c", script)
    assert finished.out.split() == ["read", *(["written"] if access == "rwm" else [])], finished
    assert finished.code == (0 if access == "rwm" else 1)


def test_user_namespace(podman: Podman) -> None:
    """``--uidmap`` makes the container's root an ordinary id of the host."""
    options = ["--uidmap=0:200000:2000", "--gidmap=0:300000:2000"]
    script = "cat /proc/self/uid_map /proc/self/gid_map; touch /data/x && stat -c %u:%g /data/x"
    found = podman.output(script, *options).split()
    assert found == ["0", "200000", "2000", "0", "300000", "2000", "0:0"]


@pytest.mark.parametrize("podman", ["user"], indirect=True)
def test_keep_id(podman: Podman) -> None:
    """``--userns=keep-id``: an ordinary user is the same in the container, and owns what is written."""
    directory = podman.directory("host")
    script = "id -u; touch /there/x"
    uid = podman.output(script, "--userns=keep-id", f"--volume={directory}:/there")
    assert int(uid) == (directory / "x").stat().st_uid == podman.uid


@for_everyone
def test_hooks(podman: Podman) -> None:
    """Hooks from a directory are called with the container's state."""
    seen = podman.directory("seen")
    hooks = podman.directory("hooks.d")
    for stage in ("createRuntime", "poststop"):
        hook = podman.room.write(podman.room.path / stage, f"#!/bin/sh\ncat >{seen}/{stage}\n")
        hook.chmod(0o755)
        settings = {"version": "1.0.0", "hook": {"path": str(hook)}, "when": {"always": True}}
        podman.room.write(hooks / f"{stage}.json", json.dumps(settings | {"stages": [stage]}))
    podman.ok(f"--hooks-dir={hooks}", "run", "--rm", image.NAME, "true")
    assert podman.room.remains() == []
    created, stopped = (json.loads((seen / s).read_text()) for s in ("createRuntime", "poststop"))
    assert created["id"] == stopped["id"]
    assert created["pid"] > 1
    assert stopped["status"] == "stopped"
    assert Path(created["bundle"]).is_relative_to(podman.room.path)


def test_root_file_system_from_a_directory(podman: Podman) -> None:
    """``--rootfs`` takes a directory instead of an image."""
    podman.ok("create", "--name=box", image.NAME)
    rootfs = podman.directory("rootfs")
    podman.ok("export", f"--output={rootfs}.tar", "box")
    unpack = ["tar", "-x", "-C", str(rootfs), "-f", f"{rootfs}.tar", "--no-same-owner"]
    subprocess.run(unpack, check=True)
    subprocess.run(["chown", "-R", str(podman.uid), str(rootfs)], check=True)
    assert podman.ok("run", "--rm", "--rootfs", str(rootfs), "/bin/cat", "/data/from-image") == (
        "from the image"
    )
