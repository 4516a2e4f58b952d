"""What systemd is told of a container: its scope, its limits, and what annotations ask for."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.runtime.caller import runtime_directory, uid_outside
from pytest_nsisolate.runtime.cgroups.group import Cgroup
from pytest_nsisolate.runtime.cgroups.systemd import bus, gvariant
from pytest_nsisolate.runtime.cgroups.systemd.annotations import read_properties
from pytest_nsisolate.runtime.cgroups.systemd.device_properties import device_properties
from pytest_nsisolate.runtime.cgroups.systemd.properties import bits_of, properties
from pytest_nsisolate.runtime.cgroups.systemd.scope import Scope, read_scope
from pytest_nsisolate.runtime.errors import SpecError, UnsupportedError
from pytest_nsisolate.runtime.plan import Plan, Root
from pytest_nsisolate.runtime.resources import BlockIO, Cpu, DeviceRule, Memory, Resources

INFINITY = 2**64 - 1


def scope_of(path: str, container_id: str = "box") -> Scope:
    """Return the scope for a cgroupsPath."""
    return read_scope(Plan(root=Root(path="/"), cgroups_path=path), container_id)


@pytest.mark.parametrize(
    ("path", "unit", "slice_name"),
    [
        ("", "nsisolate-box.scope", ""),
        ("machine.slice:libpod:1234", "libpod-1234.scope", "machine.slice"),
        ("a-b-c.slice:x:y", "x-y.scope", "a-b-c.slice"),
        (":x:y", "x-y.scope", ""),
        ("-.slice::y", "-y.scope", "-.slice"),
    ],
)
def test_a_path_names_a_scope(path: str, unit: str, slice_name: str) -> None:
    """slice:prefix:name is prefix-name.scope in that slice, as for runc; empty parts are defaults."""
    assert scope_of(path) == Scope(unit=unit, slice=slice_name)


def test_an_id_is_escaped() -> None:
    """What an id may hold and a unit's name may not."""
    assert scope_of("", "a+b_c-d.e").unit == "nsisolate-a\\x2bb_c-d.e.scope"


@pytest.mark.parametrize(
    "path",
    [
        *("/a/b", "a", "a.slice:b", "a.slice:b:c:d", "a:b:c", "a--b.slice:b:c", "-a.slice:b:c"),
        *("a-.slice:b:c", ".slice:b:c", "a.slice:b:", "a.slice:b:c.slice", "a.slice:b:c/d"),
        *("a/b.slice:b:c", "a.slice:b:c d", "a.slice:b:é", f"a.slice:b:{'c' * 250}"),
    ],
)
def test_what_names_no_scope(path: str) -> None:
    """Everything else is refused by the field's name."""
    with pytest.raises(SpecError, match=r"^linux\.cgroupsPath: "):
        scope_of(path)


def limits(resources: Resources, *, on_v1: bool = False) -> dict[str, Any]:
    """Return the values of the properties."""
    return {name: value for name, (_kind, value) in properties(resources, on_v1=on_v1)}


def test_limits_become_properties() -> None:
    """Each limit that systemd has a property for; swap alone, shares as a weight."""
    resources = Resources(
        memory=Memory(limit=1000, swap=3000, reservation=500),
        cpu=Cpu(shares=512, quota=20_000, period=100_000, cpus="0-1,9", mems="0"),
        pids_limit=7,
        block_io=BlockIO(weight=10),
    )
    assert limits(resources) == {
        "MemoryMax": 1000,
        "MemorySwapMax": 2000,
        "MemoryLow": 500,
        "CPUWeight": 59,
        "CPUQuotaPeriodUSec": 100_000,
        "CPUQuotaPerSecUSec": 200_000,
        "AllowedCPUs": b"\x03\x02",
        "AllowedMemoryNodes": b"\x01",
        "TasksMax": 7,
        "IOWeight": 1,
    }


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(memory=Memory(limit=-1)), {"MemoryMax": INFINITY}),
        (Resources(memory=Memory(swap=-1)), {"MemorySwapMax": INFINITY}),
        (Resources(memory=Memory(limit=0, swap=0)), {}),
        (Resources(memory=Memory(swap=5)), {}),
        (Resources(pids_limit=-1), {"TasksMax": INFINITY}),
        (Resources(pids_limit=0), {"TasksMax": INFINITY}),
        (Resources(cpu=Cpu(quota=-1)), {"CPUQuotaPerSecUSec": INFINITY}),
        (Resources(cpu=Cpu(quota=1)), {"CPUQuotaPerSecUSec": 10_000}),
        (Resources(cpu=Cpu(quota=12_345)), {"CPUQuotaPerSecUSec": 130_000}),
        (Resources(cpu=Cpu(idle=1, shares=5)), {"CPUWeight": 0}),
        (Resources(cpu=Cpu(idle=0, burst=7)), {}),
    ],
)
def test_ends_of_the_ranges(resources: Resources, expected: dict[str, Any]) -> None:
    """No limit is infinity, 0 mostly "not set", and a quota is rounded up to a percent."""
    assert limits(resources) == expected


def test_files_of_v2_become_properties() -> None:
    """``unified`` too, as far as systemd knows the file and the value is one."""
    unified = {
        "memory.high": "5",
        "memory.max": "max",
        "pids.max": "9\n",
        "cpu.max": "5000 10000",
        "cpu.weight": "77",
        "cpuset.cpus": "1",
        "io.weight": "default 5",
        "cpuset.mems": "",
        "memory.low": "-5",
        "hugetlb.2MB.max": "5",
    }
    assert limits(Resources(unified=tuple(unified.items()))) == {
        "MemoryHigh": 5,
        "MemoryMax": INFINITY,
        "TasksMax": 9,
        "CPUQuotaPeriodUSec": 10_000,
        "CPUQuotaPerSecUSec": 500_000,
        "CPUWeight": 77,
        "AllowedCPUs": b"\x02",
    }


@given(st.sets(st.integers(min_value=0, max_value=1000), min_size=1))
def test_lists_become_bits(numbers: set[int]) -> None:
    """Bit n is in byte n // 8, and the last byte is not empty."""
    mask = bits_of(",".join(map(str, sorted(numbers))))
    assert {8 * i + b for i, byte in enumerate(mask) for b in range(8) if byte & 1 << b} == numbers
    assert mask[-1]


DENY_ALL = DeviceRule(allow=False)
DRIVERS = {("c", 136): "pts", ("c", 10): "misc", ("b", 8): "sd"}


def device_list(*rules: DeviceRule, on_v1: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """Return DevicePolicy and DeviceAllow; the latter is emptied before it is filled."""
    found = device_properties(rules, on_v1=on_v1, names=DRIVERS)
    (first, (_s, policy)), (second, (_list, nothing)), *rest = found
    assert (first, second, nothing) == ("DevicePolicy", "DeviceAllow", [])
    return str(policy), [entry for _name, (_kind, value) in rest for entry in list(value)]  # type: ignore[call-overload]


def test_allowed_devices_are_listed() -> None:
    """By number, by driver, or all of a kind; the default devices are among them."""
    policy, allowed = device_list(
        DeviceRule(allow=True, type="c", major=1, minor=1),
        DENY_ALL,
        DeviceRule(allow=True, type="c", major=10, minor=229, access="rw"),
        DeviceRule(allow=True, type="b", major=8, access="r"),
    )
    assert policy == "strict"
    assert {("char-*", "m"), ("block-*", "m")} < set(allowed)
    assert {("char-pts", "rwm"), ("/dev/char/1:3", "rwm")} < set(allowed)
    assert {("/dev/char/10:229", "rw"), ("block-sd", "r")} < set(allowed)
    assert ("/dev/char/1:1", "rwm") not in allowed


@pytest.mark.parametrize(
    "rules",
    [
        (DENY_ALL, DeviceRule(allow=True), DeviceRule(allow=False, type="c", major=1)),
        (DENY_ALL, DeviceRule(allow=True, type="c", major=77)),
        (DENY_ALL, DeviceRule(allow=True, type="c", minor=5)),
    ],
)
def test_what_systemd_cannot_list(rules: tuple[DeviceRule, ...]) -> None:
    """On v2 it is left to our own program; on v1, where systemd would undo it, it is refused."""
    assert device_list(*rules) == ("auto", [])
    with pytest.raises(UnsupportedError, match=r"^linux\.resources\.devices: "):
        device_list(*rules, on_v1=True)


@pytest.mark.parametrize("on_v1", [False, True])
def test_all_devices_need_no_list(on_v1: bool) -> None:
    """Whoever may use all is not limited by systemd."""
    assert device_list(DENY_ALL, DeviceRule(allow=True), on_v1=on_v1) == ("auto", [])


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("true", "b", True),
        (" 'a b' ", "s", "a b"),
        (r'"x\n\'\u00e9\""', "s", "x\n'é\""),
        ("7", "i", 7),
        ("-0x10", "i", -16),
        ("010", "i", 8),
        ("1.5e3", "d", 1500.0),
        ("uint64 18446744073709551615", "t", INFINITY),
        ("byte 0xff", "y", 255),
        ("@t 7", "t", 7),
        ("@as []", "as", []),
        ("['a', 'b']", "as", ["a", "b"]),
        ("[uint32 1, 2]", "au", [1, 2]),
        ("@a(ss) [('char-*', 'rw')]", "a(ss)", [("char-*", "rw")]),
        ("@(ss)('a', 'b')", "(ss)", ("a", "b")),
        ("(1, <'two'>)", "(iv)", (1, ("s", "two"))),
        ("objectpath '/a/b_1'", "o", "/a/b_1"),
        ("signature 'a(ss)'", "g", "a(ss)"),
    ],
)
def test_gvariants_text(text: str, kind: str, value: object) -> None:
    """Each type that D-Bus has, with the text of GVariant."""
    assert gvariant.parse(text) == (kind, value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yes", "'open", "[]", "[1, 'a']", "[1 2]", "(1", "1 2", "<", "@", "@zz 1", "@a(s 1"),
        *("uint64 -1", "uint64", "99999999999", "08", "1_0", "٣", "string 5", "objectpath 'x'"),
        *("objectpath '/x//y'", r"'\u0000'", r"'\ud800'", r"'\u12'", "signature '('", "[" * 100),
        "9" * 5000,
    ],
)
def test_what_is_no_gvariant(text: str) -> None:
    """Each with a reason and where."""
    with pytest.raises(ValueError, match=r" \(at character \d+\)$"):
        gvariant.parse(text)


@given(st.text(alphabet="[](),<>'\"@ \\asutvb10.-u64int \n", max_size=40))
def test_any_text_is_a_gvariant_or_an_error(text: str) -> None:
    """No other exception, no endless loop."""
    try:
        kind, _value = gvariant.parse(text)
    except ValueError:
        return
    assert kind


def test_annotations_become_properties() -> None:
    """Only those of the prefix; seconds become microseconds of the type that systemd wants."""
    found = read_properties(
        (
            ("org.systemd.property.CollectMode", "'inactive-or-failed'"),
            ("org.systemd.property.TimeoutStopSec", "uint64 7"),
            ("org.systemd.property.RuntimeMaxSec", "1.5"),
            ("org.systemd.property.TimeoutStartUSec", "uint64 8"),
            ("org.systemd", "x"),
        )
    )
    assert found == [
        ("CollectMode", ("s", "inactive-or-failed")),
        ("TimeoutStopUSec", ("t", 7_000_000)),
        ("RuntimeMaxUSec", ("t", 1_500_000)),
        ("TimeoutStartUSec", ("t", 8)),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("", "1"), ("Ab", "1"), ("Some.Thing", "1"), ("Naïve", "1"), ("Description", "x")),
        *(("TimeoutStopSec", "'1'"), ("TimeoutStopSec", "-1"), ("TimeoutStopSec", "true")),
        *(("TimeoutStopSec", "inf"), ("TimeoutStopSec", "nan"), ("PIDs", "@au [1]")),
        *(("Delegate", "false"), ("Slice", "'x.slice'")),
    ],
)
def test_annotations_that_make_no_property(name: str, text: str) -> None:
    """Each is named."""
    key = f"org.systemd.property.{name}"
    with pytest.raises(SpecError) as caught:
        read_properties(((key, text),))
    assert str(caught.value).startswith(f"annotations.{key}: ")


def test_a_unit_survives_in_a_state_file() -> None:
    """``delete`` has to know the unit's name; without one the state says nothing of it."""
    cgroup = Cgroup(directories=(("", "/sys/fs/cgroup/x"),), unit="a.scope")
    assert Cgroup.of_state(cgroup.to_state()) == cgroup
    assert "unit" not in cgroup.replace(unit="").to_state()


def test_which_bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Root's is the machine's; a user's is said by a variable, or in his runtime directory."""
    monkeypatch.setattr(bus, "is_machine_root", lambda: True)
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/of/a/user")
    assert bus.bus_address() == "unix:path=/run/dbus/system_bus_socket"
    monkeypatch.setattr(bus, "is_machine_root", lambda: False)
    assert bus.bus_address() == "unix:path=/of/a/user"
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert bus.bus_address() == f"unix:path={tmp_path}/bus"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(bus, "runtime_directory", lambda _uid_of: runtime_directory(lambda: -1))
    with pytest.raises(UnsupportedError, match="XDG_RUNTIME_DIR"):
        bus.bus_address()


def test_the_uid_that_the_bus_knows() -> None:
    """Outside of a user namespace it is our own, and the authentication says so."""
    line = bus._with_uid_outside(b"AUTH EXTERNAL 00\r\n")
    assert bytes.fromhex(line.split()[2].decode()).decode() == str(uid_outside())
    assert bus._with_uid_outside(b"BEGIN\r\n") == b"BEGIN\r\n"


def test_the_library_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without jeepney the remedy is named."""
    (tmp_path / "bus").touch()
    monkeypatch.setattr(bus, "is_machine_root", lambda: False)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    monkeypatch.setitem(sys.modules, "jeepney", None)
    with pytest.raises(
        UnsupportedError, match=r"jeepney: pip install 'pytest-nsisolate\[systemd\]'"
    ):
        bus.Systemd()


@pytest.mark.parametrize("address", ["tcp:host=localhost,port=1", "nonsense", "unix:abstract=x,y"])
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A wrong DBUS_SESSION_BUS_ADDRESS is said to be it."""
    monkeypatch.setattr(bus, "is_machine_root", lambda: False)
    monkeypatch.setattr(bus, "_BOOTED", "/")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    with pytest.raises(UnsupportedError, match="cannot talk to systemd through"):
        bus.Systemd()
