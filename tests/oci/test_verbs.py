"""``spec``, ``features``, ``--version`` and ``--help``."""

from __future__ import annotations

import json
import os
import re
import shutil
from importlib.util import find_spec

import pytest

from .bundle import BUSYBOX, Bundle
from .lifecycle import ok
from .runtime_under_test import is_ours, ours_only
from .test_errors import assert_one_sentence, call

VERBS = (
    "create start run state kill delete pause resume update events exec list ps spec features doctor "
    "checkpoint restore"
).split()


def spec(bundle: Bundle) -> None:
    """Write the default config.json that suits the caller."""
    options = ["--rootless"] if bundle.identity.is_ordinary_user else []
    assert call(bundle, "spec", "--bundle", str(bundle.path), *options).code == 0


@pytest.mark.parametrize("identity", ["root", "user"], indirect=True)
def test_the_default_config_runs(bundle: Bundle) -> None:
    """What ``spec`` writes runs a shell in ``rootfs`` as it is, but for the terminal."""
    if not is_ours():
        pytest.skip("ours only: crun's default has resources and seccomp, which are its own matter")
    spec(bundle)
    config = json.loads((bundle.path / "config.json").read_text())
    assert config["process"]["terminal"] is True
    assert config["root"]["path"] == "rootfs"
    config["process"]["terminal"] = False
    bundle.config = config
    finished = bundle.run("id -u; hostname; cat /proc/keys; echo x > /new || echo refused")
    assert finished.lines == ["0", "nsisolate", "refused"]


@pytest.mark.parametrize("identity", ["root", "user"], indirect=True)
def test_the_default_config_fits_the_cgroups(bundle: Bundle) -> None:
    """There is a cgroup namespace where cgroup v2 is all there is; elsewhere callers want to see the path."""
    spec(bundle)
    config = json.loads((bundle.path / "config.json").read_text())
    found = {"type": "cgroup"} in config["linux"]["namespaces"]
    assert found == os.path.exists("/sys/fs/cgroup/cgroup.controllers")


@ours_only("its own file")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_spec_writes_the_file_that_is_named(bundle: Bundle) -> None:
    """``--file`` is below the bundle, or anywhere."""
    for name in ("other.json", str(bundle.path / "tmp.json")):
        ok(bundle, "spec", "-b", str(bundle.path), "--rootless", "--file", name)
    texts = [(bundle.path / name).read_text() for name in ("other.json", "tmp.json")]
    assert json.loads(texts[0])["root"]["path"] == "rootfs"
    assert texts[0] == texts[1]
    assert not (bundle.path / "config.json").exists()


@ours_only("its own file")
def test_spec_does_not_overwrite(bundle: Bundle) -> None:
    """A config.json that is there is left alone."""
    (bundle.path / "config.json").write_text("mine")
    finished = call(bundle, "spec", "--bundle", str(bundle.path))
    assert_one_sentence(finished, "config.json")
    assert (bundle.path / "config.json").read_text() == "mine"


@ours_only("crun 1.8.1 has no such verb")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_features_is_the_specs_structure(bundle: Bundle) -> None:
    """``features`` prints JSON with the fields that features.md requires."""
    features = json.loads(call(bundle, "features").out)
    assert features["ociVersionMin"] == "1.0.0"
    assert "bind" in features["mountOptions"]
    assert "rro" in features["mountOptions"]
    assert set(features["linux"]["namespaces"]) >= {"user", "pid", "mount", "network", "time"}
    assert "CAP_CHOWN" in features["linux"]["capabilities"]
    assert set(features["mountOptions"]) >= {"idmap", "ridmap", "tmpcopyup", "copy-symlink"}
    linux = features["linux"]
    assert linux["cgroup"] == {
        "v1": True,
        "v2": True,
        "systemd": find_spec("jeepney") is not None,
        "systemdUser": find_spec("jeepney") is not None,
        "rdma": True,
    }
    for name in ("apparmor", "selinux", "intelRdt", "netDevices"):
        assert linux[name]["enabled"] is True
    assert linux["mountExtensions"]["idmap"]["enabled"] is True
    assert {"MPOL_BIND", "MPOL_LOCAL"} <= set(linux["memoryPolicy"]["modes"])
    if linux["seccomp"]["enabled"]:
        assert "SCMP_ACT_NOTIFY" in linux["seccomp"]["actions"]
        assert "SCMP_CMP_MASKED_EQ" in linux["seccomp"]["operators"]
        assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"} <= set(linux["seccomp"]["archs"])
        assert set(linux["seccomp"]["supportedFlags"]) <= set(linux["seccomp"]["knownFlags"])


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_version_names_the_program_and_the_spec(bundle: Bundle) -> None:
    """``--version`` prints both versions."""
    out = call(bundle, "--version").out
    first, commit, spec_line, *_ = out.splitlines()
    assert re.fullmatch(
        r"nsisolate version \d+\.\d+\.\d+, in place of runc version 1\.\d+\.\d+", first
    )
    assert commit == f"commit: v{first.split()[2].rstrip(',')}"
    assert spec_line.startswith("spec: 1.")


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"]])
def test_help_names_the_verbs(bundle: Bundle, args: list[str]) -> None:
    """``--help`` prints on standard output what the program is, and lists the verbs."""
    finished = call(bundle, *args)
    assert finished.code == 0
    name = "   nsisolate, in place of runc - Open Container Initiative runtime"
    assert finished.lines[:2] == ["NAME:", name]
    listed = finished.out.partition("VERBS:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == VERBS


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_verb_has_its_help(bundle: Bundle, verb: str, option: str) -> None:
    """A verb's help says what it is, whose place it takes, and how it is used."""
    finished = call(bundle, verb, option)
    assert (finished.code, finished.err) == (0, "")
    assert finished.lines[0] == "NAME:"
    assert finished.lines[1].startswith(f"   nsisolate {verb}, in place of runc {verb} - ")
    assert finished.lines[3] == "USAGE:"
    assert finished.lines[4].startswith(f"   nsisolate {verb}")


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_verb_that_is_none(bundle: Bundle) -> None:
    """There is neither the verb nor help for it."""
    assert_one_sentence(call(bundle, "nosuch", "id"), "unknown verb 'nosuch'")
    assert_one_sentence(call(bundle, "nosuch", "-h"), "No help topic for 'nosuch'")


@ours_only("crun may have CRIU")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("verb", ["checkpoint", "restore"])
def test_checkpoints_are_refused(bundle: Bundle, verb: str) -> None:
    """Whatever comes with the verb, the answer is one sentence with the reason."""
    finished = call(bundle, verb, "--work-path", "/tmp/x", bundle.id)
    assert_one_sentence(finished, f"{verb} is not supported", "CRIU")


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_without_a_verb_the_help_is_an_error(bundle: Bundle) -> None:
    """Without arguments there is help, and exit code 1."""
    finished = call(bundle)
    assert finished.code == 1
    assert "USAGE" in finished.out


def test_a_rootfs_with_one_file_is_enough(bundle: Bundle) -> None:
    """A rootfs that holds nothing but the program works: all mount points are made."""
    if not is_ours():
        pytest.skip("ours only: crun wants a /dev")
    shutil.rmtree(bundle.rootfs)
    bundle.rootfs.mkdir()
    bundle.give(bundle.rootfs)
    shutil.copy(BUSYBOX, bundle.rootfs / "busybox")
    bundle.process["args"] = ["/busybox", "echo", "enough"]
    bundle.config["mounts"] = []
    assert bundle.run().out == "enough\n"
