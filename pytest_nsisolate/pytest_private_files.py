"""What this plugin uses of the files that pytest writes, and pytest does not promise: cache, junit XML, log.

A part of :mod:`.pytest_private`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import LogXML, xml_key


def log_file(config: pytest.Config) -> int | None:
    """Return the descriptor of the file that ``--log-file`` names, or None."""
    plugin: Any = config.pluginmanager.get_plugin("logging-plugin")
    stream = getattr(getattr(plugin, "log_file_handler", None), "stream", None)
    return None if stream is None or stream.name == os.devnull else int(stream.fileno())


def log_to(config: pytest.Config, file: int) -> None:
    """Let the descriptor *file* be what ``--log-file`` names."""
    plugin: Any = config.pluginmanager.get_plugin("logging-plugin")
    if plugin is not None:
        stream = open(file, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        if (before := plugin.log_file_handler.setStream(stream)) is not None:
            before.close()


def cache_directory(config: pytest.Config) -> str | None:
    """Return the directory in which ``cache.mkdir`` makes directories; it is made if need be.

    None where there is no cache (``-p no:cacheprovider``), or none can be made.
    """
    cache: Any = getattr(config, "cache", None)
    if cache is None:
        return None
    directory: Path = cache._cachedir / cache._CACHE_PREFIX_DIRS
    try:
        cache._ensure_cache_dir_and_supporting_files()
        directory.mkdir(exist_ok=True)
    except OSError:
        return None
    return str(directory)


def tell_what_is_cached(config: pytest.Config, tell: Callable[[str, object], None]) -> None:
    """Call *tell* with each key and value that ``cache.set`` is called with, when it has been set."""
    cache: Any = getattr(config, "cache", None)
    if cache is None:
        return
    original = cache.set

    def set_and_tell(key: str, value: object) -> None:
        original(key, value)
        tell(key, value)

    cache.set = set_and_tell


def xml_family(config: pytest.Config) -> str | None:
    """Return the family of the file that ``--junitxml`` writes, or None if it writes none."""
    xml: Any = config.stash.get(xml_key, None)
    return None if xml is None else str(xml.family)


class TellingXml(LogXML):
    """Has what fixtures record in it told to somebody else: (whether an attribute, name, value)."""

    def __init__(self, family: Any, tell: Callable[[bool, str, object], None]) -> None:
        super().__init__("never-written.xml", None, family=family)
        self._tell = tell

    def add_global_property(self, name: str, value: object) -> None:
        """Record a property of the suite."""
        __tracebackhide__ = True
        super().add_global_property(name, value)
        self._tell(False, name, value)

    def node_reporter(self, report: Any) -> Any:
        """Return what a test's attributes are recorded in."""
        reporter: Any = super().node_reporter(report)
        if "add_attribute" not in vars(reporter):
            original = reporter.add_attribute

            def add_attribute(name: str, value: object) -> None:
                original(name, value)
                self._tell(True, name, value)

            reporter.add_attribute = add_attribute
        return reporter


def install_xml(config: pytest.Config, xml: TellingXml) -> None:
    """Make *xml* what fixtures record in."""
    config.stash[xml_key] = xml


def remove_xml(config: pytest.Config) -> None:
    """Take away what was installed, before pytest does as if it had made it."""
    if isinstance(config.stash.get(xml_key, None), TellingXml):
        del config.stash[xml_key]


def record_in_xml(item: pytest.Item, name: str, value: str, *, attribute: bool) -> None:
    """Record an attribute of *item*, or a property of the suite, for ``--junitxml``."""
    xml: Any = item.config.stash.get(xml_key, None)
    if xml is None:
        return
    if attribute:
        xml.node_reporter(getattr(item, "id", item.nodeid)).add_attribute(name, value)
    else:
        xml.add_global_property(name, value)
