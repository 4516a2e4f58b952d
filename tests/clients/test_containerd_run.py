"""``ctr run`` in the foreground: output, exit codes, input, terminal, signals, options."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ..oci.runtime_under_test import known_of_crun
from ..terminal import Terminal
from . import image
from .calling import LISTENS, TIMEOUT, wait_until_signals_pass
from .containerd import Containerd
from .sitting import ANSWERS, sit_at


def test_nothing_is_left_of_a_container_that_is_removed(containerd: Containerd) -> None:
    """``run --rm`` prints what the container does; then containerd and the runtime know nothing of it."""
    assert containerd.output("echo out; ls /data") == "out\nfrom-image"
    assert containerd.tasks() == {}
    assert containerd.ok("containers", "list", "--quiet") == ""
    assert containerd.room.remains() == []
    assert containerd.room.calls_of("create")


def test_streams_are_kept_apart(containerd: Containerd) -> None:
    """Standard output and error are two."""
    finished = containerd.run("sh", "-c", "echo out; echo err >&2")
    assert (finished.out, finished.err) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("script", "code"), [("exit 42", 42), ("kill -KILL $$", 137), ("kill $$", 143)]
)
def test_exit_code(containerd: Containerd, script: str, code: int) -> None:
    """The exit code is the container's, and 128 more than the signal that ended it."""
    # PID 1 is deaf to its own signals; this shell has another below it.
    assert containerd.run("sh", "-c", f"sh -c '{script}'; exit $?").code == code


@pytest.mark.parametrize(
    "program", ["/bin/no-such-program", "no-such-program", "/bin/not-executable"]
)
def test_program_that_cannot_run(containerd: Containerd, program: str) -> None:
    """The message names a program that is not there or is none, and nothing is left."""
    finished = containerd.run(program)
    assert (finished.code, finished.out) == (1, "")
    assert containerd.tasks() == {}
    assert containerd.room.remains() == []
    known_of_crun("does not say which program", when="not-ex" in program)
    assert program in finished.err


def test_input_is_piped_through(containerd: Containerd) -> None:
    """Standard input arrives unharmed, whatever it holds and however much it is."""
    sent = os.urandom(500_000) + b"\n"
    assert containerd.output("cat | wc -c; echo end", stdin=sent) == f"{len(sent)}\nend"


def test_much_output_is_complete(containerd: Containerd) -> None:
    """The last line of much output is not lost when the container ends right after it."""
    assert containerd.output("seq 1 20000").splitlines()[-1] == "20000"


def test_terminal(containerd: Containerd, terminal: Terminal) -> None:
    """``run -t`` gives a terminal of the user's size, which follows it, and what is typed arrives."""
    terminal.size(33, 99)
    arguments = containerd.run_arguments("sh", "-c", ANSWERS, options=["--tty"])
    with containerd.at_terminal(terminal, *arguments) as running:
        sit_at(terminal, running)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(containerd: Containerd, sent: signal.Signals) -> None:
    """A signal sent to ctr is the container's."""
    name = sent.name.removeprefix("SIG")
    script = f"trap 'echo caught; exit 7' {name}; {LISTENS}"
    with containerd.running(*containerd.run_arguments("sh", "-c", script)) as running:
        wait_until_signals_pass(running)
        running.send(sent)
        finished = running.finish()
    assert finished.code == 7
    assert finished.lines[-1] == "caught"


def test_environment_and_directory(containerd: Containerd) -> None:
    """Environment and working directory are as asked for."""
    script = "echo $FROM_IMAGE $ASKED; pwd"
    assert containerd.output(script, "--env=ASKED=too", "--cwd=/data") == "yes too\n/data"


def test_read_only(containerd: Containerd) -> None:
    """``--read-only``: the root file system cannot be written to."""
    assert containerd.output("! touch /data/x && echo done", "--read-only") == "done"


def test_bind_mount(containerd: Containerd) -> None:
    """A directory of the host: what is written is there, unless it is read-only."""
    directory = containerd.room.directory("host")
    mount = f"--mount=type=bind,src={directory},dst=/there,options=rbind"
    containerd.output("echo written > /there/x", f"{mount}:rw")
    assert (directory / "x").read_text() == "written\n"
    assert containerd.output("cat /there/x; ! touch /there/y", f"{mount}:ro") == "written"
    assert os.listdir(directory) == ["x"]


@pytest.mark.parametrize(
    ("options", "number", "there"),
    [
        ([], 0, True),
        (["--cap-drop=CAP_CHOWN"], 0, False),
        ([], 23, False),
        (["--cap-add=CAP_SYS_NICE"], 23, True),
        (["--privileged"], 23, True),
    ],
)
def test_capabilities(
    containerd: Containerd, options: list[str], number: int, *, there: bool
) -> None:
    """The container has the capabilities that it was given, and those that were left to it."""
    script = "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status"
    found = containerd.output(script, *options).split()[1::2]
    assert [bool(int(value, 16) >> number & 1) for value in found] == [there] * 3


@pytest.mark.parametrize(("options", "bit"), [([], "1"), (["--allow-new-privs"], "0")])
def test_no_new_privileges(containerd: Containerd, options: list[str], bit: str) -> None:
    """There are no new privileges, unless allowed."""
    assert containerd.output("grep NoNewPrivs /proc/self/status", *options).split()[1] == bit


def test_seccomp(containerd: Containerd) -> None:
    """The default profile, and one of the user's own."""
    script = "grep Seccomp: /proc/self/status; mkdir /data/x && echo made; true"
    assert containerd.output(script).split()[1:] == ["0", "made"]
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    file = containerd.room.write(containerd.room.path / "seccomp.json", json.dumps(profile))
    options = ["--seccomp", f"--seccomp-profile={file}"]
    finished = containerd.run("sh", "-c", script, options=options)
    assert finished.out.split()[1:] == ["2"]
    assert "No space left on device" in finished.err


def test_default_seccomp_profile(containerd: Containerd) -> None:
    """Containerd's own profile works."""
    script = "grep Seccomp: /proc/self/status"
    assert containerd.output(script, "--seccomp").split()[1] == "2"


def test_network(containerd: Containerd) -> None:
    """A network of its own that has ``lo`` alone, or the host's."""
    script = "tail -n +3 /proc/net/dev | cut -d: -f1; readlink /proc/self/ns/net"
    first, own = containerd.output(script).split()
    assert first == "lo"
    assert own != os.readlink("/proc/self/ns/net")
    assert containerd.output(script, "--net-host").split()[-1] == os.readlink("/proc/self/ns/net")


def test_namespace_to_join(containerd: Containerd) -> None:
    """``--with-ns`` puts the container into a namespace that is there already."""
    option = f"--with-ns=pid:/proc/{os.getpid()}/ns/pid"
    script = f"test -d /proc/{os.getpid()} && readlink /proc/self/ns/pid"
    assert containerd.output(script, option) == os.readlink("/proc/self/ns/pid")


def test_user_namespace(containerd: Containerd) -> None:
    """With ids mapped the container's root is an ordinary id of the host, and owns its files."""
    options = ["--uidmap=0:200000:2000", "--gidmap=0:300000:2000"]
    script = "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /data; touch /data/x"
    found = containerd.output(script, *options).split()
    assert found == ["0", "200000", "2000", "0", "300000", "2000", "0:0"]


def test_device(containerd: Containerd) -> None:
    """A device of the host is there if asked for, and not to be made otherwise."""
    script = "test -e /dev/kmsg && : >/dev/kmsg && echo there"
    options = ["--cap-add=CAP_SYSLOG", "--device=/dev/kmsg"]
    assert containerd.output(script, *options) == "there"
    assert containerd.output(f"{script}; true", "--cap-add=CAP_SYSLOG") == ""
    refused = "mknod /tmp/kmsg c 1 11; (: >/tmp/kmsg) && echo opened; true"
    assert containerd.output(refused, "--cap-add=CAP_SYSLOG") == ""


def test_root_file_system_from_a_directory(containerd: Containerd) -> None:
    """``--rootfs`` takes a directory instead of an image."""
    rootfs = containerd.room.directory("rootfs")
    image.unpack(rootfs)
    options = ["--rm", *containerd.options(), "--env=PATH=/bin", "--rootfs"]
    assert containerd.ok("run", *options, str(rootfs), "box", "cat", "/data/from-image") == (
        "from the image"
    )


def test_pid_file(containerd: Containerd) -> None:
    """``--pid-file`` has the container's pid."""
    file = containerd.room.path / "pid"
    containerd.start("echo ready; sleep 1000", f"--pid-file={file}")
    assert int(file.read_text()) == containerd.tasks()["box"][0]


def test_without_pivot_root(containerd: Containerd) -> None:
    """``--no-pivot`` gives a container that works."""
    containerd.start("ls /data; echo ready; sleep 1000", "--no-pivot")
    assert containerd.log() == "from-image\nready\n"
    assert containerd.exec("ls", "/data").out == "from-image\n"


def test_config_of_the_users_own(containerd: Containerd) -> None:
    """``--config`` runs a config.json, hooks included."""
    config = json.loads(containerd.ok("oci", "spec"))
    seen = containerd.room.path / "seen"
    hook = containerd.room.write(containerd.room.path / "hook", f"#!/bin/sh\ncat >{seen}\n")
    hook.chmod(0o755)
    config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    config["hostname"] = "pier"
    config["process"]["args"] = ["hostname"]
    config["process"]["env"] = ["PATH=/bin"]
    config["process"]["terminal"] = False
    rootfs = containerd.room.directory("rootfs")
    image.unpack(rootfs)
    config["root"]["path"] = str(rootfs)
    file = containerd.room.write(containerd.room.path / "config.json", json.dumps(config))
    chosen = [*containerd.options()[:3], f"--config={file}"]
    assert containerd.ok("run", "--rm", *chosen, "box") == "pier"
    assert json.loads(seen.read_text())["id"] == "box"


def test_container_whose_creation_fails(containerd: Containerd) -> None:
    """Of a container that cannot be created nothing is left, and ctr prints the runtime's sentence."""
    missing = containerd.room.path / "missing"
    mount = f"--mount=type=bind,src={missing},dst=/there,options=rbind"
    finished = containerd.run("true", options=[mount])
    assert finished.code == 1
    assert str(missing) in finished.err
    assert containerd.tasks() == {}
    assert containerd.room.remains() == []


def test_limits(containerd: Containerd) -> None:
    """Memory and processor time are limited."""
    containerd.start("echo ready; sleep 1000", "--memory-limit=67108864", "--cpus=0.5")
    metrics = dict(
        line.split(None, 1)
        for line in containerd.ok("tasks", "metrics", "box").splitlines()
        if line.startswith(("memory", "pids"))
    )
    limit = metrics.get("memory.limit_in_bytes") or metrics["memory.usage_limit"]
    assert limit.strip() == "67108864"
    assert int(metrics["pids.current"]) == 1


def test_out_of_memory(containerd: Containerd) -> None:
    """A process that takes more memory than allowed is killed."""
    script = "dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?"
    assert containerd.output(script, "--memory-limit=16777216").splitlines()[-1] == "137"


def test_annotations(containerd: Containerd) -> None:
    """Annotations reach the runtime, which keeps them in the container's state."""
    containerd.start("echo ready; sleep 1000", "--annotation=org.example.key=value")
    root = containerd.room.runtime_root / containerd.room.name
    state = subprocess.run(
        [containerd.room.runtime, "--root", str(root), "state", "box"],
        capture_output=True,
        timeout=TIMEOUT,
        check=True,
    )
    found = json.loads(state.stdout)
    assert found["annotations"]["org.example.key"] == "value"
    assert Path(found["bundle"]).is_relative_to(containerd.room.path)
