"""``process``: args, cwd, env, user, additionalGids, umask."""

from __future__ import annotations

import os

import pytest

from .bundle import Bundle
from .runtime_under_test import known_of_crun

MANY_IDS = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)


def test_args_are_passed_as_they_are(bundle: Bundle) -> None:
    """Arguments are not interpreted: blanks, quotes and empty ones arrive."""
    bundle.process["args"] = ["printf", "%s|", "two words", "", "'\"$HOME\n", "ünï"]
    assert bundle.run().out == "two words||'\"$HOME\n|ünï|"


def test_args_zero_is_looked_up_in_the_containers_path(bundle: Bundle) -> None:
    """args[0] without a slash is looked up in the PATH of process.env."""
    tools = bundle.directory("rootfs/tools")
    (tools / "mine").symlink_to("/bin/busybox")
    (tools / "echo").write_text("#!/bin/sh\nshift\nprintf '%s' mine\n")
    (tools / "echo").chmod(0o755)
    bundle.process["env"] = ["PATH=/nonexistent:/tools:/bin"]
    bundle.process["args"] = ["echo", "x"]
    assert bundle.run().out == "mine"


def test_a_relative_program_is_relative_to_the_cwd(bundle: Bundle) -> None:
    """args[0] with a slash that is no absolute path is taken from cwd."""
    bundle.process["cwd"] = "/bin"
    bundle.process["args"] = ["./echo", "here"]
    assert bundle.run().out == "here\n"


def test_standard_input_and_output_are_the_runtimes(bundle: Bundle) -> None:
    """Without a terminal the streams of the runtime are the container's."""
    finished = bundle.run("cat; echo problem >&2", stdin="through\n")
    assert (finished.out, finished.err) == ("through\n", "problem\n")


def test_env_is_exactly_the_configs(bundle: Bundle) -> None:
    """The environment is process.env and nothing of the runtime's own, but for HOME."""
    bundle.process["env"] = ["PATH=/bin", "EMPTY=", "EQUALS=a=b", "UNICODE=ä"]
    found = set(bundle.output("tr '\\0' '\\n' < /proc/$$/environ; true").splitlines())
    assert found == {
        "PATH=/bin",
        "EMPTY=",
        "EQUALS=a=b",
        "UNICODE=ä",
        "HOME=/",
        f"NSISOLATE_TEST={bundle.id}",
    }


def test_cwd_is_the_configs(bundle: Bundle) -> None:
    """The program starts in process.cwd."""
    bundle.process["cwd"] = "/bin"
    assert bundle.output("pwd") == "/bin"


def test_a_cwd_that_is_missing_is_made(bundle: Bundle) -> None:
    """A cwd that does not exist is made, as runc and crun do."""
    bundle.process["cwd"] = "/made/for/me"
    assert bundle.output("pwd") == "/made/for/me"


def test_a_cwd_that_is_a_file_is_an_error(bundle: Bundle) -> None:
    """A cwd that is no directory stops the container."""
    bundle.process["cwd"] = "/bin/busybox"
    finished = bundle.run("true")
    assert finished.code != 0
    assert "busybox" in finished.err


@MANY_IDS
def test_a_cwd_may_be_closed_to_the_user(bundle: Bundle) -> None:
    """A directory that only the container's root may enter is a cwd for another user all the same."""
    bundle.directory("rootfs/private", mode=0o700)
    bundle.process["cwd"] = "/private"
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert bundle.output("pwd; ls . || echo closed").split() == ["/private", "closed"]


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_a_cwd_may_be_closed_to_the_runtime(bundle: Bundle) -> None:
    """A directory on a volume of the user's own is a cwd where the container's root may not enter it."""
    volume = bundle.directory("volume")
    # Its owner is not in the map, so that the capabilities of the container's root do not count there.
    os.chown(volume, 0, bundle.identity.mapped_gid + 1000)
    volume.chmod(0o070)
    bundle.bind(volume, "/volume")
    bundle.process["cwd"] = "/volume"
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert bundle.output("pwd") == "/volume"


@MANY_IDS
def test_user_and_groups_are_the_configs(bundle: Bundle) -> None:
    """The process has the uid, gid and additional gids of the config, and no others."""
    bundle.process["user"] = {"uid": 1000, "gid": 2000, "additionalGids": [3000, 4000]}
    out = bundle.output("grep -E '^(Uid|Gid|Groups):' /proc/self/status")
    uids, gids, groups = (line.split()[1:] for line in out.splitlines())
    assert uids == ["1000"] * 4
    assert gids == ["2000"] * 4
    assert set(groups) - {"2000"} == {"3000", "4000"}


@MANY_IDS
def test_no_group_of_the_caller_is_kept(bundle: Bundle) -> None:
    """Without additionalGids the process has no supplementary group of the caller's."""
    out = bundle.output("grep Groups: /proc/self/status")
    assert set(out.split()[1:]) <= {"0"}


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_additional_gids_need_a_range(bundle: Bundle) -> None:
    """Where setgroups is denied, additional gids are an error and not left out."""
    known_of_crun("leaves them out")
    bundle.process["user"]["additionalGids"] = [3000]
    finished = bundle.run("true")
    assert finished.code == 1
    assert "setgroups" in finished.err


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_a_user_without_a_map_is_an_error(bundle: Bundle) -> None:
    """A uid that is not mapped stops the container, with a clear sentence."""
    bundle.process["user"] = {"uid": 70000, "gid": 0}
    finished = bundle.run("true")
    assert finished.code != 0
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_without_proc_a_denied_setgroups_is_no_obstacle(bundle: Bundle) -> None:
    """An ordinary user's container needs no /proc to give up groups that it cannot have."""
    known_of_crun("wants a /dev in the rootfs")
    bundle.config["mounts"] = []
    assert bundle.output("echo works") == "works"


def test_the_umask_is_the_configs(bundle: Bundle) -> None:
    """The program starts with process.user.umask."""
    bundle.process["user"]["umask"] = 0o027
    assert bundle.output("umask; touch /tmp/f; stat -c %a /tmp/f").split() == ["0027", "640"]


def test_the_umask_is_022_by_default(bundle: Bundle) -> None:
    """Without a umask in the config it is 022, whatever the caller's is."""
    assert bundle.output("umask") == "0022"


def test_the_process_leads_its_session(bundle: Bundle) -> None:
    """The container process is the leader of a session of its own."""
    assert bundle.output("cut -d' ' -f1,6 /proc/$$/stat; true") == "1 1"


def test_the_process_has_a_clean_signal_state(bundle: Bundle) -> None:
    """No signal is blocked or ignored, although the runtime's own interpreter ignores some."""
    running = bundle.start("cat /proc/self/status; true", restore_signals=True)
    status = dict(line.split(":\t", 1) for line in running.finish().lines if ":\t" in line)
    assert int(status["SigBlk"], 16) == 0
    assert int(status["SigIgn"], 16) == 0


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_the_program_must_be_executable_for_the_user(bundle: Bundle) -> None:
    """Permissions count for the container's user, not for the runtime."""
    program = bundle.rootfs / "bin/private"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o700)
    bundle.give(program)
    bundle.process["args"] = ["/bin/private"]
    assert bundle.run().out == "ran\n"
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {}
    finished = bundle.run()
    assert finished.code != 0
    assert "ran" not in finished.out
