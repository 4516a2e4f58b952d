"""The template's entry point: connect, make a Config as the host's, serve."""

from __future__ import annotations

import faulthandler
import os
import pickle
import socket
import sys
from typing import Any, NoReturn

from .. import originals
from ..runtime.channel import Channel
from ..wire import frames
from ..wire.limits import STACKS_SIGNAL
from ..wire.program import resemble
from .capture import Streams
from .link import Files, Link


def main(thresholds: tuple[int, int, int]) -> NoReturn:
    """Serve the host behind the two descriptors in ``sys.argv``.

    *thresholds* are those of the garbage collector, which is off until everything is imported.
    """
    host = socket.socket(fileno=int(sys.argv[1]))
    factory = Channel.from_fd(int(sys.argv[2]))
    for fd in (host.fileno(), factory.fileno()):
        os.set_inheritable(fd, False)
    code = 1
    try:
        reader = frames.FrameReader(host, fds=True)
        _kind, payload = reader.receive()
        out, err, stacks, log, *log_file = reader.take_fds()
        streams = Streams(log)
        faulthandler.register(STACKS_SIGNAL, file=stacks, all_threads=True)
        link = Link(host=host, reader=reader, factory=factory)
        start = {**pickle.loads(payload), "thresholds": thresholds}
        files = Files(out=out, err=err, stacks=stacks, log_file=(*log_file, None)[0])
        _serve(start, link, files, streams)
        code = 0
    except BaseException as error:
        _report(error, host)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve(start: dict[str, Any], link: Link, files: Files, streams: Streams) -> None:
    from ..pytest_private import make_config, make_worker
    from . import measuring
    from .session import TemplatePlugin

    # Before anything of the user's is loaded.
    originals.keep()
    resemble(start["program"])
    data_file = measuring.begin(start["coverage"])
    config = make_config(start["args"])
    make_worker(config, start["workerinput"])
    for name, value in _NEUTRAL.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    plugin = TemplatePlugin(config, start, link, files, streams, data_file)
    config.pluginmanager.register(plugin, "nsisolate-template")
    config.hook.pytest_cmdline_main(config=config)


#: Options that would make the template select, report, distribute or isolate by itself, and what it has.
_NEUTRAL = {
    "nsisolate": "off",
    "nsisolate_all": False,
    "nsisolate_stats": False,
    "keyword": "",
    "markexpr": "",
    "deselect": None,
    "lf": False,
    "failedfirst": False,
    "newfirst": False,
    "stepwise": False,
    "stepwise_skip": False,
    "stepwise_reset": False,
    "cacheclear": False,
    "cacheshow": None,
    "xmlpath": None,
    "report_log": None,
    "htmlpath": None,
    "json_report": False,
    "pastebin": None,
    "log_file": None,
    "maxfail": 0,
    "collectonly": False,
    "continue_on_collection_errors": True,
    "looponfail": False,
    "distload": False,
    "dist": "no",
    "numprocesses": None,
    "maxprocesses": None,
    "tx": [],
    "rsyncdir": [],
    "basetemp": None,
}


def _report(error: BaseException, host: socket.socket) -> None:
    import traceback

    from ..wire.data import dump

    try:
        frames.send(host, frames.FAILED, dump("".join(traceback.format_exception(error))))
    except Exception:
        traceback.print_exception(error)
