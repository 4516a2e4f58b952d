"""``features`` is true: a test for each claim, and a claim for each ability."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.cli.features import features
from pytest_nsisolate.runtime.capabilities import last_number
from pytest_nsisolate.runtime.seccomp.compile import compile_profile
from pytest_nsisolate.runtime.seccomp.records import Seccomp

from .. import capabilities
from ..runtime_spec.table import config_fields, features_fields
from . import feature_claims
from .bundle import Bundle
from .feature_claims import ACTIONS, CAPABILITIES, FLAGS, MODES, claims
from .runtime_under_test import ours_only
from .test_errors import call
from .test_namespaces import PROC_NAMES, of_host
from .test_seccomp import ORDINARY, profile

pytestmark = ours_only("its claims")
USER = pytest.mark.parametrize("identity", ["user"], indirect=True)
STRUCTURE: dict[str, Any] = features()
LINUX: dict[str, Any] = STRUCTURE["linux"]
HAS_SECCOMP = any(importlib.util.find_spec(name) for name in ("seccomp", "pyseccomp"))
KERNEL = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


def need_seccomp() -> None:
    """Skip without a binding of libseccomp."""
    capabilities.need(HAS_SECCOMP, "pyseccomp (pip install 'pytest-nsisolate[seccomp]')")


@USER
def test_the_command_prints_the_structure(bundle: Bundle) -> None:
    """What the command prints is what the other tests look at."""
    finished = call(bundle, "features")
    assert (finished.code, finished.err) == (0, "")
    assert json.loads(finished.out) == STRUCTURE


def test_every_property_is_the_specs() -> None:
    """features.md: there are no properties in it that the version of the spec does not have."""
    known = {field.path for field in features_fields()}
    for claim in claims(STRUCTURE):
        path, equals, _word = claim.removeprefix("!").partition("=")
        assert (f"{path}[]" if equals else path) in known


def test_each_claim_has_a_test() -> None:
    """Neither a claim without a test, nor a test of what is not claimed any more."""
    made = set(claims(STRUCTURE))
    seccomp = () if HAS_SECCOMP else ("linux.seccomp", "!linux.seccomp")
    tested = {c for c in feature_claims.tested(STRUCTURE) if not c.startswith(seccomp or "-")}
    flags = {c for c in tested if c.startswith("linux.seccomp.supportedFlags=")}
    assert {claim for claim in made if not claim.startswith(seccomp or "-")} - tested == set()
    # A kernel may support fewer flags than are known, and a claim that is true is not also false.
    assert tested - made <= flags | {_denied(claim) for claim in made}


def _denied(claim: str) -> str:
    return claim.removeprefix("!") if claim.startswith("!") else f"!{claim}"


@pytest.mark.parametrize(
    ("claimed", "field"),
    [
        (LINUX["namespaces"], "linux.namespaces[].type"),
        (LINUX["memoryPolicy"]["modes"], "linux.memoryPolicy.mode"),
        (LINUX["memoryPolicy"]["flags"], "linux.memoryPolicy.flags[]"),
        (LINUX["seccomp"].get("actions"), "linux.seccomp.syscalls[].action"),
        (LINUX["seccomp"].get("operators"), "linux.seccomp.syscalls[].args[].op"),
        (LINUX["seccomp"].get("knownFlags"), "linux.seccomp.flags[]"),
    ],
    ids=str,
)
def test_nothing_is_missing(claimed: list[str] | None, field: str) -> None:
    """The spec's words, each of which the parser takes (test_wrong_values.py), are claimed."""
    if claimed is None:
        need_seccomp()
    (wanted,) = [f.choices for f in config_fields() if f.path == field]
    assert claimed is not None
    assert sorted(claimed) == sorted(wanted)


def test_no_hook_or_capability_is_missing() -> None:
    """All kinds of hooks of config.md, and all capabilities that the kernel has."""
    kinds = {f.path.removeprefix("hooks.") for f in config_fields() if f.path.startswith("hooks.")}
    assert set(STRUCTURE["hooks"]) == {kind for kind in kinds if kind.isalpha()}
    assert len(LINUX["capabilities"]) > last_number()


#: config.md, "Linux mount options".
MOUNT_OPTIONS = (
    "async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand noatime nodev "
    "nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private "
    "ratime rbind rdev rdiratime relatime remount rexec ridmap rnoatime rnodev rnodiratime rnoexec "
    "rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave "
    "rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync "
    "tmpcopyup unbindable"
).split()


def test_no_mount_option_is_missing() -> None:
    """All that config.md lists, whether runtimes MUST, SHOULD or MAY have them."""
    assert set(MOUNT_OPTIONS) <= set(STRUCTURE["mountOptions"])


@USER
@pytest.mark.parametrize("key", ["ociVersionMin", "ociVersionMax"])
def test_the_versions_are_taken(bundle: Bundle, key: str) -> None:
    """features.md: the runtime MUST accept both as the config's ociVersion."""
    bundle.config["ociVersion"] = STRUCTURE[key]
    assert bundle.output("echo taken") == "taken"


@USER
def test_each_hook_is_called(bundle: Bundle) -> None:
    """Each kind writes its name, on the host or in the container."""
    bundle.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo >/tmp/{bundle.id}-{kind}"]}]
        for kind in STRUCTURE["hooks"]
    }
    assert bundle.run("true").code == 0
    found = [*Path("/tmp").glob(f"{bundle.id}-*"), *bundle.rootfs.glob(f"tmp/{bundle.id}-*")]
    for path in found:
        path.unlink()
    assert sorted(path.name for path in found) == sorted(
        f"{bundle.id}-{kind}" for kind in STRUCTURE["hooks"]
    )


@USER
def test_each_namespace_is_new(bundle: Bundle) -> None:
    """A container with one of each type is in none of the host's."""
    for kind in LINUX["namespaces"]:
        if kind != "user":  # it is there, with its maps
            bundle.namespace(kind)
    names = [PROC_NAMES.get(kind, kind) for kind in LINUX["namespaces"]]
    inside = bundle.output("; ".join(f"readlink /proc/self/ns/{name}" for name in names)).split()
    for kind, found in zip(LINUX["namespaces"], inside, strict=True):
        assert found.startswith(PROC_NAMES.get(kind, kind))
        assert found != of_host(kind)


@USER
@pytest.mark.parametrize(("number", "name"), [*enumerate(CAPABILITIES)])
def test_each_capability_is_given(bundle: Bundle, number: int, name: str) -> None:
    """A process with one capability has just that one."""
    if number > last_number():
        pytest.skip(f"this kernel is older than {name}")
    sets = ("bounding", "effective", "permitted")
    bundle.process["capabilities"] = {kind: [f"CAP_{name}"] for kind in sets}
    bundle.process["args"] = ["cat", "/proc/self/status"]
    status = dict(line.split(":\t", 1) for line in bundle.run().lines)
    for kind in ("CapBnd", "CapEff", "CapPrm"):
        assert int(status[kind], 16) == 1 << number


@USER
@pytest.mark.parametrize("action", ACTIONS)
def test_each_seccomp_action_is_taken(bundle: Bundle, action: str) -> None:
    """What mkdir comes to."""
    need_seccomp()
    rule = {"names": ["mkdir", "mkdirat"], "action": action}
    if action == "SCMP_ACT_ALLOW":
        ordinary = {"names": ORDINARY, "action": "SCMP_ACT_ALLOW"}
        profile(bundle, ordinary, rule, default="SCMP_ACT_ERRNO")
    else:
        profile(bundle, rule)
    finished = bundle.run("mkdir /tmp/x 2>&1; echo $?")
    assert " ".join(finished.out.rpartition(": ")[2].split()) == ACTIONS[action]


@pytest.mark.parametrize("name", LINUX["seccomp"].get("archs", []))
def test_each_seccomp_architecture_is_filtered(name: str) -> None:
    """A filter for it asks for the kernel's number of the architecture (linux/audit.h)."""
    rule = Seccomp(default_action="SCMP_ACT_ALLOW", architectures=(name,))
    code = compile_profile(rule)
    operands = {k for _code, _jt, _jf, k in struct.iter_unpack("=HBBI", code)}
    assert AUDIT_ARCH[name] in operands


_64BIT, _LITTLE_ENDIAN, _N32 = 0x80000000, 0x40000000, 0x20000000
AUDIT_ARCH = {
    "SCMP_ARCH_X86": 3 | _LITTLE_ENDIAN,
    "SCMP_ARCH_X86_64": 62 | _64BIT | _LITTLE_ENDIAN,
    # The kernel takes it for x86_64, and the numbers of its calls tell.
    "SCMP_ARCH_X32": 62 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_ARM": 40 | _LITTLE_ENDIAN,
    "SCMP_ARCH_AARCH64": 183 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_MIPS": 8,
    "SCMP_ARCH_MIPS64": 8 | _64BIT,
    "SCMP_ARCH_MIPS64N32": 8 | _64BIT | _N32,
    "SCMP_ARCH_MIPSEL": 8 | _LITTLE_ENDIAN,
    "SCMP_ARCH_MIPSEL64": 8 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_MIPSEL64N32": 8 | _64BIT | _LITTLE_ENDIAN | _N32,
    "SCMP_ARCH_PPC": 20,
    "SCMP_ARCH_PPC64": 21 | _64BIT,
    "SCMP_ARCH_PPC64LE": 21 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_S390": 22,
    "SCMP_ARCH_S390X": 22 | _64BIT,
    "SCMP_ARCH_PARISC": 15,
    "SCMP_ARCH_PARISC64": 15 | _64BIT,
    "SCMP_ARCH_RISCV64": 243 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_LOONGARCH64": 258 | _64BIT | _LITTLE_ENDIAN,
    "SCMP_ARCH_M68K": 4,
    "SCMP_ARCH_SH": 42 | _LITTLE_ENDIAN,
    "SCMP_ARCH_SHEB": 42,
}


def test_without_a_binding_there_is_no_seccomp() -> None:
    """Without libseccomp's bindings nothing is claimed of seccomp."""
    script = (
        "import json, sys\n"
        "sys.modules['seccomp'] = sys.modules['pyseccomp'] = None\n"
        "from pytest_nsisolate.cli.features import features\n"
        "print(json.dumps(features()['linux']['seccomp']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert json.loads(done.stdout) == {"enabled": False}


def policy_of(bundle: Bundle, policy: dict[str, Any]) -> str:
    """Run the bundle with a memory policy; return what the kernel calls it."""
    capabilities.need(os.path.exists("/proc/self/numa_maps"), "a kernel with NUMA")
    bundle.linux["memoryPolicy"] = policy
    bundle.process["args"] = ["cat", "/proc/self/numa_maps"]
    finished = bundle.run()
    assert finished.code == 0, finished
    return re.split(r" (?:file|anon|heap|stack|mapped|N\d)", finished.lines[0].partition(" ")[2])[0]


def need_kernel(first: tuple[int, ...]) -> None:
    """Skip on a kernel that is older."""
    if first > KERNEL:
        pytest.skip(f"needs Linux {'.'.join(map(str, first))}")


@USER
@pytest.mark.parametrize("mode", MODES)
def test_each_memory_mode_is_set(bundle: Bundle, mode: str) -> None:
    """The kernel's word for the policy of the process."""
    words, first = MODES[mode]
    need_kernel(first)
    nodes = {} if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": "0"}
    assert policy_of(bundle, {"mode": mode, **nodes}) == words


@USER
@pytest.mark.parametrize("flag", FLAGS)
def test_each_memory_flag_is_set(bundle: Bundle, flag: str) -> None:
    """The kernel's word for the flag, with MPOL_BIND."""
    words, first = FLAGS[flag]
    need_kernel(first)
    assert policy_of(bundle, {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}) == words
