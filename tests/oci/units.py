"""Containers whose cgroups systemd makes, and what systemctl(1) says of them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from .. import capabilities
from .bundle import Bundle
from .confined import CGROUPS, V2
from .identity import Identity

SYSTEM_BUS = "/run/dbus/system_bus_socket"


def user_bus() -> str:
    """Return the path of our own bus."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return f"{runtime}/bus"


def managed(bundle: Bundle) -> Bundle:
    """Let the bundle's cgroup be made by systemd; skip where there is none for its caller."""
    bundle.variables |= variables_for_systemd(user=bundle.identity.is_ordinary_user)
    bundle.settings = ("--cgroup-manager", "systemd")
    return bundle


def variables_for_systemd(*, user: bool) -> dict[str, str]:
    """Return what has to be in the environment of a caller of systemd; skip where there is none."""
    if user:
        capabilities.need_ordinary_user()
    bus = user_bus() if user else SYSTEM_BUS
    capabilities.need_of_machine(os.path.isdir("/run/systemd/system"), "systemd")
    capabilities.need_of_machine(os.path.exists(bus), f"the bus {bus}")
    capabilities.need(importlib.util.find_spec("jeepney") is not None, "jeepney")
    return {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"} if user else {}


def default_slice(identity: Identity) -> str:
    """Return the slice of those that ask for none."""
    return "user.slice" if identity.is_ordinary_user else "system.slice"


def unit_of(bundle: Bundle) -> str:
    """Return the name of the container's unit."""
    path = str(bundle.linux.get("cgroupsPath") or f":nsisolate:{bundle.id}")
    return "-".join(path.split(":")[1:]) + ".scope"


def show(bundle: Bundle, *names: str) -> list[str]:
    """Return properties of the container's unit."""
    return show_unit(unit_of(bundle), *names, user=bundle.identity.is_ordinary_user)


def show_unit(unit: str, *names: str, user: bool) -> list[str]:
    """Return properties of a unit of the machine's, or of our own."""
    option = ["--user"] if user else []
    found = []
    for name in names:
        command = ["systemctl", *option, "show", "--value", "-p", name, unit]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        found.append(done.stdout.strip())
    return found


def cgroup_of_unit(bundle: Bundle, controller: str = "systemd") -> Path:
    """Return the directory of the unit's cgroup; on v1, the controller's."""
    (path,) = show(bundle, "ControlGroup")
    assert path
    return Path(f"{CGROUPS}{path}") if V2 else Path(f"{CGROUPS}/{controller}{path}")


def assert_gone(bundle: Bundle) -> None:
    """Check that systemd has forgotten the unit, and the kernel its cgroup."""
    assert show(bundle, "LoadState", "ActiveState") == ["not-found", "inactive"]
    assert not list(CGROUPS.glob(f"**/{glob_escaped(unit_of(bundle))}"))


def glob_escaped(name: str) -> str:
    """Return a pattern that matches *name* alone."""
    return name.replace("[", "[[]")
