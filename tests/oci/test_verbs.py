"""``spec``, ``features``, ``--version`` and ``--help``."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from .bundle import BUSYBOX, Bundle
from .runtime_under_test import is_ours, ours_only
from .test_errors import assert_one_sentence, call


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
        "systemd": False,
        "systemdUser": False,
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
    assert out.startswith("nsisolate version ")
    assert "\nspec: 1." in out


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("args", [["--help"], ["-h"], ["run", "--help"], ["spec", "-h"]])
def test_help_is_not_an_error(bundle: Bundle, args: list[str]) -> None:
    """``--help`` prints the usage on standard output."""
    finished = call(bundle, *args)
    assert finished.code == 0
    assert finished.out.startswith("usage: nsisolate")


@ours_only("its own text")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_without_a_verb_the_help_is_an_error(bundle: Bundle) -> None:
    """Without arguments there is help, and exit code 1."""
    finished = call(bundle)
    assert finished.code == 1
    assert "usage" in finished.out


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
