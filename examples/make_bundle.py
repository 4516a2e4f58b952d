"""Makes an OCI bundle without a network: ``python examples/make_bundle.py DIR``.

The rootfs holds Debian's static busybox (apt-get install busybox-static) or, where there is none, this
machine's own /bin/sh with its libraries.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BUSYBOX = Path("/usr/bin/busybox")

#: Shell built-ins only, so that it runs with either rootfs.
SCRIPT = """\
read name < /proc/sys/kernel/hostname
read inside outside count < /proc/self/uid_map
echo "hostname $name, shell $$, root is uid $outside out there"
for directory in /proc/[0-9]*; do
    read command < "$directory/comm"
    echo "process ${directory#/proc/} $command"
done
echo /*
exit 7
"""


def make(bundle: Path) -> str:
    """Make a bundle; return what its rootfs is made of."""
    rootfs = bundle / "rootfs"
    for name in ("bin", "dev", "proc", "sys", "tmp"):
        (rootfs / name).mkdir(parents=True)
    what = _busybox(rootfs) if os.access(BUSYBOX, os.X_OK) else _own_shell(rootfs)
    command = [sys.executable, "-m", "pytest_nsisolate", "spec", "--bundle", str(bundle)]
    subprocess.run([*command, *([] if os.geteuid() == 0 else ["--rootless"])], check=True)
    path = bundle / "config.json"
    config = json.loads(path.read_text())
    config["hostname"] = "box"
    config["process"] |= {"args": ["/bin/sh", "-c", SCRIPT], "terminal": False}
    path.write_text(json.dumps(config, indent=4))
    return what


def _busybox(rootfs: Path) -> str:
    shutil.copy(BUSYBOX, rootfs / "bin/busybox")
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in listed.split():
        if applet != "busybox":
            (rootfs / "bin" / applet).symlink_to("busybox")
    return "busybox-static"


def _own_shell(rootfs: Path) -> str:
    needed = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    for path in ["/bin/sh", *re.findall(r"(/\S+) \(0x", needed)]:
        target = rootfs / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return "this machine's own /bin/sh (for more: apt-get install busybox-static)"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DIR")
    print("rootfs:", make(Path(sys.argv[1])))
