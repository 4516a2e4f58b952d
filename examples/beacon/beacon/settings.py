"""Where things are, and what ``/etc/beacon.conf`` says."""

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CONFIG = Path("/etc/beacon.conf")
PID_FILE = Path("/run/beacon.pid")
DEFAULT = "[beacon]\nport = 80\nmessage = here I am\n"


@dataclass(frozen=True)
class Settings:
    """The settings."""

    port: int = 80
    message: str = "here I am"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration file; what it does not mention keeps its default."""
        parser = configparser.ConfigParser()
        parser.read(path)
        if not parser.has_section("beacon"):
            return cls()
        section = parser["beacon"]
        return cls(section.getint("port", cls.port), section.get("message", cls.message))
