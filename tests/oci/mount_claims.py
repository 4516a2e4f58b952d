"""What each mount option of ``features`` does, as the mount table of a container shows it."""

from __future__ import annotations

from dataclasses import dataclass

#: Trees of two tmpfs, one below the other, with these flags, to be bound from.
TREES = {
    "plain": "rw,relatime",
    "flagged": "ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow",
    "strict": "rw,strictatime",
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A mount with an option, and what is to be seen.

    *tree* is bound, or "" for a tmpfs; *options* are all of the mount's. *top* and *below* are words that the
    line of the mount, and that of the one below it, has, or, after a "!", has not; None: there is none below.
    """

    tree: str
    options: tuple[str, ...]
    top: tuple[str, ...] = ()
    below: tuple[str, ...] | None = ()


def _bound(tree: str, option: str, top: str, below: str) -> Claim:
    """Return the claim of an option that a recursive bind of a tree has."""
    return Claim(
        tree=tree, options=("rbind", option), top=tuple(top.split()), below=tuple(below.split())
    )


def _pair(setting: str, clearing: str) -> dict[str, Claim]:
    """Return the claims of a flag and its opposite, for the top and for the tree."""
    return {
        setting: _bound("plain", setting, setting, f"!{setting}"),
        clearing: _bound("flagged", clearing, f"!{setting}", setting),
        f"r{setting}": _bound("plain", f"r{setting}", setting, setting),
        f"r{clearing}": _bound("flagged", f"r{clearing}", f"!{setting}", f"!{setting}"),
    }


def _file_system(*options: str, top: str = "") -> Claim:
    """Return the claim of options of a tmpfs."""
    return Claim(tree="", options=options, top=tuple(top.split()), below=None)


#: By option. A tmpfs refuses options that it does not know: those without a trace in the table are at least
#: not handed on to it.
CLAIMS: dict[str, Claim] = {
    "bind": Claim(tree="plain", options=("bind",), top=("tmpfs",), below=None),
    "rbind": Claim(tree="plain", options=("rbind",), top=("tmpfs",), below=("tmpfs",)),
    **_pair("ro", "rw"),
    **_pair("nosuid", "suid"),
    **_pair("nodev", "dev"),
    **_pair("noexec", "exec"),
    **_pair("nodiratime", "diratime"),
    **_pair("nosymfollow", "symfollow"),
    **_pair("noatime", "atime"),
    "relatime": _bound("flagged", "relatime", "relatime !noatime", "noatime"),
    "rrelatime": _bound("flagged", "rrelatime", "relatime !noatime", "relatime !noatime"),
    "norelatime": _file_system("norelatime"),
    "rnorelatime": _bound("plain", "rnorelatime", "!relatime !noatime", "!relatime !noatime"),
    "strictatime": _bound("plain", "strictatime", "!relatime !noatime", "relatime"),
    "rstrictatime": _bound("plain", "rstrictatime", "!relatime !noatime", "!relatime !noatime"),
    "nostrictatime": _bound("strict", "nostrictatime", "relatime", "!relatime"),
    "rnostrictatime": _bound("strict", "rnostrictatime", "relatime", "relatime"),
    "private": _bound("plain", "private", "!shared !master !unbindable", ""),
    "rprivate": _bound("plain", "rprivate", *["!shared !master !unbindable"] * 2),
    "shared": _bound("plain", "shared", "shared", "!shared"),
    "rshared": _bound("plain", "rshared", "shared", "shared"),
    "slave": _bound("plain", "slave", "master !shared", ""),
    "rslave": _bound("plain", "rslave", "master !shared", "master !shared"),
    "unbindable": _bound("plain", "unbindable", "unbindable", "!unbindable"),
    "runbindable": _bound("plain", "runbindable", "unbindable", "unbindable"),
    "defaults": _file_system("defaults", top="rw relatime !nosuid !nodev !noexec"),
    "sync": _file_system("sync", top="sync"),
    "async": _file_system("sync", "async", top="!sync"),
    "dirsync": _file_system("dirsync", top="dirsync"),
    "lazytime": _file_system("lazytime", top="lazytime"),
    "nolazytime": _file_system("lazytime", "nolazytime", top="!lazytime"),
    "iversion": _file_system("iversion"),
    "noiversion": _file_system("noiversion"),
    "mand": _file_system("mand"),
    "nomand": _file_system("nomand"),
    "silent": _file_system("silent"),
    "loud": _file_system("loud"),
    "remount": _file_system("remount", "ro", top="ro"),
}
