"""One bundle, two runtimes: ours and crun give the same answers."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle, Config, Finished
from .identity import ORDINARY_UID, demotion
from .runtime_under_test import ours_only

pytestmark = ours_only("it runs crun itself")

# crun refuses hosts that mix both cgroup versions; there it sees the first alone, where the device rules
# of the default config take no privilege that the machine's root may lack.
_ON_V1 = 'umount /sys/fs/cgroup/unified && exec "$@"'

_QUESTIONS = """
echo "user: $(id -u) $(id -g) $(id -G)"
echo "hostname: $(hostname)"
echo "pid: $$, session: $(cut -d' ' -f6 /proc/$$/stat)"
set -- /proc/[0-9]*; echo "processes: $*"
echo "maps:"; cat /proc/self/uid_map /proc/self/gid_map
echo "cwd: $PWD, umask: $(umask)"
echo "root:"; ls -a /
echo "dev:"
ls -l /dev | grep -v ^total | while read mode links user group rest; do echo "$mode ${rest##*:?? }"; done
grep -E '^(Cap|NoNewPrivs|SigBlk|SigIgn|Groups)' /proc/$$/status
echo "limits:"; cat /proc/self/limits
echo "oom: $(cat /proc/self/oom_score_adj)"
echo "secret: $(cat /secret)"
echo x > /proc/sys/kernel/hostname || echo "sysctls are read-only"
exit 42
"""


def crun(bundle: Bundle) -> Finished:
    """Run the bundle under crun."""
    bundle.id += "-crun"
    bundle.command()
    command = ["crun", "run", "--bundle", str(bundle.path), bundle.id]
    options = demotion(bundle.identity)
    if os.path.isdir("/sys/fs/cgroup/unified"):
        capabilities.need_root()  # to give crun the cgroups that it wants
        if options:
            ids = [f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups"]
            command = ["setpriv", *ids, *command]
        command = ["unshare", "-m", "sh", "-c", _ON_V1, "sh", *command]
        options = {}
    done = subprocess.run(
        command,
        cwd="/",
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **options,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def asked(bundle: Bundle) -> Bundle:
    """Return a bundle that uses much of config.json, and asks what came of it."""
    capabilities.need(capabilities.has_program("crun"), "crun (apt-get install crun)")
    for name in ("proc", "dev"):
        bundle.directory(f"rootfs/{name}")
    (bundle.rootfs / "secret").write_text("secret\n")
    bundle.process["env"] += ["HOME=/"]  # which crun adds
    bundle.process["noNewPrivileges"] = True
    bundle.process["oomScoreAdj"] = 300
    bundle.process["user"]["umask"] = 0o077
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    bundle.mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "size=1m", "mode=1777"])
    bundle.mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"])
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    bundle.bind(bundle.directory("data"), "/data", "rbind", "ro")
    bundle.config["root"]["readonly"] = True
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/scsi", "/secret", "/sys/firmware"]
    bundle.linux["readonlyPaths"] = ["/proc/sys", "/proc/bus"]
    return bundle


def test_the_same_answers(asked: Bundle) -> None:
    """Processes, ids, maps, limits, capabilities, devices and the exit code are the same."""
    ours = asked.run(_QUESTIONS)
    theirs = crun(asked)
    assert ours.code == theirs.code == 42
    # crun has a link to /proc/kcore, which the spec does not ask for.
    assert ours.lines == [line for line in theirs.lines if not line.endswith("core -> /proc/kcore")]
    assert "sysctls are read-only" in ours.lines


def test_the_same_mounts(asked: Bundle) -> None:
    """The same places are mounted, with the same types and the same flags where flags isolate."""
    script = "cat /proc/mounts"
    ours, theirs = asked.run(script), crun(asked)
    found = [[line.split()[1:4] for line in finished.lines] for finished in (ours, theirs)]
    tables = [
        {place: (kind, "ro" in options.split(",")) for place, kind, options in table}
        for table in found
    ]
    for table in tables:
        # A mask that is the null device needs not be read-only, and where a device is bound from
        # the host, in a user namespace, is each runtime's own choice.
        for place in ("/proc/keys", "/secret", "/dev/console"):
            table.pop(place, None)
    assert tables[0] == tables[1]


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_crun_runs_our_default_config(asked: Bundle) -> None:
    """What ``nsisolate spec`` writes is a bundle for crun too."""
    from pytest_nsisolate.runtime.spec.default import default_plan
    from pytest_nsisolate.runtime.spec.writer import to_config

    config: Config = json.loads(json.dumps(to_config(default_plan(rootless=False))))
    config["process"]["terminal"] = False
    config["process"]["args"] = ["sh", "-c", "id -u; hostname; cat /proc/keys; exit 7"]
    config["process"]["env"] = ["PATH=/bin"]
    asked.config = config
    ours, theirs = asked.run(), crun(asked)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (7, "0\nnsisolate\n")
