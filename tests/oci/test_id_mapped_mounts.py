"""Id-mapped bind mounts, and binds that meet symlinks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from .bundle import Bundle
from .runtime_under_test import known_of_crun, ours_only
from .test_errors import assert_one_sentence

PRIVILEGED = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
USERNS = pytest.mark.parametrize("identity", ["root-userns"], indirect=True)


def owned(bundle: Bundle) -> Path:
    """Make a directory with a file that belongs to 0:0, and one below for another mount."""
    path = bundle.path / "data"
    (path / "below").mkdir(parents=True)
    for name in ("file", "below/file"):
        (path / name).write_text("x")
        os.chown(path / name, 0, 0)
    return path


def mapping(host: int) -> list[dict[str, int]]:
    """Return a map of all ids to those from *host* on."""
    return [{"containerID": 0, "hostID": host, "size": 65536}]


@PRIVILEGED
def test_the_files_belong_to_the_mapped_ids(bundle: Bundle) -> None:
    """An owner of 0 on the host is the first id that the mount's own map names."""
    bundle.bind(owned(bundle), "/data", "bind")
    first_uid, first_gid = (
        (bundle.identity.mapped_uid, bundle.identity.mapped_gid)
        if bundle.identity.user_namespace
        else (0, 0)
    )
    entry = bundle.config["mounts"][-1]
    entry["uidMappings"], entry["gidMappings"] = mapping(first_uid + 7), mapping(first_gid + 8)
    assert bundle.output("stat -c %u:%g /data/file") == "7:8"


@USERNS
def test_without_a_map_it_is_the_containers(bundle: Bundle) -> None:
    """``idmap`` alone takes the user namespace's maps: what belongs to root outside does inside."""
    known_of_crun("wants the maps")
    data = owned(bundle)
    bundle.bind(data, "/plain", "bind")
    bundle.bind(data, "/data", "bind", "idmap")
    assert bundle.output("stat -c %u /plain/file /data/file").split() == ["65534", "0"]
    assert bundle.output("echo new >/data/new; cat /data/new") == "new"
    assert (data / "new").stat().st_uid == 0


@USERNS
@pytest.mark.parametrize(("option", "below"), [("idmap", "65534"), ("ridmap", "0")])
def test_what_is_mounted_below(bundle: Bundle, option: str, below: str) -> None:
    """``ridmap`` maps the whole tree, ``idmap`` its top only."""
    known_of_crun("wants the maps")
    import subprocess

    data = owned(bundle)
    subprocess.run(["mount", "--bind", data / "below", data / "below"], check=True)
    try:
        bundle.bind(data, "/data", "rbind", option)
        script = "stat -c %u /data/file /data/below/file"
        assert bundle.output(script).split() == ["0", below]
    finally:
        subprocess.run(["umount", data / "below"], check=True)


@PRIVILEGED
def test_an_id_mapped_mount_can_be_read_only(bundle: Bundle) -> None:
    """The other options hold as well."""
    bundle.bind(owned(bundle), "/data", "bind", "ro")
    entry = bundle.config["mounts"][-1]
    entry["uidMappings"] = entry["gidMappings"] = mapping(bundle.identity.mapped_uid)
    assert "Read-only" in bundle.run("touch /data/new").err


@ours_only("the sentences")
@pytest.mark.parametrize("identity", ["root"], indirect=True)
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": ["bind", "idmap"]}, "mounts[3].uidMappings"),
        ({"uidMappings": mapping(1)}, "mounts[3].gidMappings"),
        ({"type": "tmpfs", "options": ["idmap"]}, "mounts[3].options"),
    ],
)
def test_a_wrong_map_is_refused(bundle: Bundle, change: dict[str, Any], field: str) -> None:
    """A map by halves, one that is missing, and one for something else than a bind."""
    bundle.bind("/tmp", "/data", "bind")
    bundle.config["mounts"][-1] |= change
    assert_one_sentence(bundle.run("true"), field)


@ours_only("the sentence")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_an_ordinary_user_may_not_map(bundle: Bundle) -> None:
    """Mapping the ids of a mount takes power over its file system."""
    bundle.bind("/usr", "/data", "bind", "idmap")
    assert_one_sentence(bundle.run("true"), "mount", "hint: ")


def test_a_symlink_is_copied(bundle: Bundle) -> None:
    """``copy-symlink``: where the source is a symlink, the container gets the same one."""
    (bundle.path / "link").symlink_to("/somewhere/else")
    bundle.bind(bundle.path / "link", "/etc/link", "bind", "copy-symlink")
    assert bundle.output("readlink /etc/link") == "/somewhere/else"
    assert bundle.output("readlink /etc/link") == "/somewhere/else"


def test_a_symlink_is_mounted_itself(bundle: Bundle) -> None:
    """``src-nofollow``: the symlink itself is mounted, on one that is there (``dest-nofollow``)."""
    known_of_crun("knows no dest-nofollow")
    (bundle.path / "link").symlink_to("/outer")
    (bundle.rootfs / "etc/link").symlink_to("/inner")
    bundle.bind(bundle.path / "link", "/etc/link", "bind", "src-nofollow", "dest-nofollow")
    assert bundle.output("readlink /etc/link") == "/outer"
    assert os.readlink(bundle.rootfs / "etc/link") == "/inner"


def test_a_destination_is_not_followed(bundle: Bundle) -> None:
    """Without ``dest-nofollow`` the target is covered, with it the symlink."""
    known_of_crun("knows no dest-nofollow")
    (bundle.path / "file").write_text("mounted\n")
    (bundle.rootfs / "etc/target").write_text("target\n")
    (bundle.rootfs / "etc/link").symlink_to("target")
    bundle.give(bundle.rootfs / "etc/target")
    bundle.bind(bundle.path / "file", "/etc/link", "bind", "dest-nofollow")
    assert bundle.output("cat /etc/link /etc/target").split() == ["mounted", "target"]
