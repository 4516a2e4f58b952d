"""What mount options mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.runtime import syscalls as sys
from pytest_nsisolate.runtime.mounts import options as mount_options
from pytest_nsisolate.runtime.plan import Mount


@pytest.mark.parametrize(
    ("options", "flags", "cleared"),
    [
        ((), 0, 0),
        (("bind",), sys.MS_BIND, 0),
        (("rbind", "ro"), sys.MS_BIND | sys.MS_REC | sys.MS_RDONLY, 0),
        (("ro", "rw"), 0, sys.MS_RDONLY),
        (("rw", "ro"), sys.MS_RDONLY, 0),
        (("nosuid", "suid", "nodev"), sys.MS_NODEV, sys.MS_NOSUID),
        (("defaults",), 0, 0),
    ],
)
def test_flags(options: tuple[str, ...], flags: int, cleared: int) -> None:
    """Later options win, and what is taken away explicitly is remembered."""
    parsed = mount_options.parse(options)
    assert (parsed.flags, parsed.cleared) == (flags, cleared)


def test_propagation_keeps_its_order() -> None:
    """Propagation types are applied one after the other: ``slave`` then ``shared`` is both."""
    parsed = mount_options.parse(("slave", "shared"))
    assert parsed.propagation == (sys.MS_SLAVE, sys.MS_SHARED)


def test_recursive_options_become_attributes() -> None:
    """Recursive options are attributes for mount_setattr, access times as a field of their own."""
    parsed = mount_options.parse(("rro", "rnosuid", "rnoatime"))
    assert parsed.recursive_set == (
        sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NOATIME
    )
    assert parsed.recursive_clear & sys.MOUNT_ATTR__ATIME & ~sys.MOUNT_ATTR_NOATIME


def test_what_is_not_known_is_the_file_systems() -> None:
    """Everything else goes to the file system, in its order."""
    parsed = mount_options.parse(("size=1m", "nosuid", "mode=755"))
    assert parsed.data == "size=1m,mode=755"


@pytest.mark.parametrize(
    "option", ["tmpcopyup", "idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow"]
)
def test_the_runtimes_own_options_are_not_the_file_systems(option: str) -> None:
    """What the runtime does itself is not handed on as data."""
    parsed = mount_options.parse((option, "size=1m"))
    assert parsed.special == (option,)
    assert parsed.data == "size=1m"
    assert parsed.is_id_mapped is option.endswith("idmap")


def test_is_bind_and_is_remount() -> None:
    """``bind`` and ``remount`` decide, whatever else is there."""
    assert mount_options.parse(("ro", "rbind")).is_bind
    assert mount_options.parse(("remount", "bind")).is_remount
    assert not mount_options.parse(("ro",)).is_bind


@pytest.mark.parametrize(
    ("options", "attr_set", "attr_clear"),
    [
        (("ro", "nosuid"), sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID, 0),
        (("rw",), 0, sys.MOUNT_ATTR_RDONLY),
        (("noatime",), sys.MOUNT_ATTR_NOATIME, sys.MOUNT_ATTR__ATIME),
        (("atime",), 0, sys.MOUNT_ATTR__ATIME),
        (("atime", "strictatime"), sys.MOUNT_ATTR_STRICTATIME, sys.MOUNT_ATTR__ATIME),
    ],
)
def test_attributes_of_a_bind(options: tuple[str, ...], attr_set: int, attr_clear: int) -> None:
    """The per-mount flags of a bind are attributes to set and to clear."""
    assert mount_options.attributes(mount_options.parse(options)) == (attr_set, attr_clear)


@given(st.lists(st.sampled_from(mount_options.KNOWN_OPTIONS)))
def test_known_options_never_reach_the_file_system(options: list[str]) -> None:
    """No option that the spec knows ends up in the data."""
    parsed = mount_options.parse(tuple(options))
    assert parsed.data == ""
    assert parsed.flags & parsed.cleared == 0
    assert parsed.recursive_set & parsed.recursive_clear & ~sys.MOUNT_ATTR__ATIME == 0


@pytest.mark.parametrize(
    ("mount", "labelled"),
    [
        (Mount(destination="/t", type="tmpfs"), True),
        (Mount(destination="/t", type="tmpfs", options=('context="other"',)), False),
        (Mount(destination="/p", type="proc"), False),
        (Mount(destination="/b", source="/b", options=("bind",)), False),
    ],
)
def test_a_mount_label_is_a_context(mount: Mount, labelled: bool) -> None:
    """File systems without labels of their own get the plan's; binds keep theirs."""
    options = mount_options.with_label(mount, "u:r:t:s0:c1,c2").options
    assert (options[-1:] == ('context="u:r:t:s0:c1,c2"',)) is labelled
