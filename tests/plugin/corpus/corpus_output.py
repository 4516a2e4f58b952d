"""Output of Python, of C, of children, in every phase."""

# mypy: ignore-errors

import ctypes
import os
import subprocess
import sys
import threading

import pytest

libc = ctypes.CDLL(None)


def everybody(when):
    print(when, "by print", flush=True)
    os.write(1, f"{when} by os.write\n".encode())
    libc.printf(b"%s by C\n", when.encode())
    libc.fflush(None)
    subprocess.run(["echo", when, "by a child"], check=True)
    os.system(f"echo {when} by a shell >&2")
    sys.stderr.write(f"{when} an error\n")
    thread = threading.Thread(target=print, args=(when, "by a thread"))
    thread.start()
    thread.join()
    sys.__stdout__.write(f"{when} past the capture\n")
    sys.__stdout__.flush()


@pytest.fixture
def talks():
    everybody("setup")
    yield
    everybody("teardown")


def test_talks(talks):
    everybody("call")
    assert 0


def test_talks_and_passes(talks):
    everybody("call")


def test_bytes():
    os.write(1, b"before \xff\xfe\x00 after\n")
    print("\udc80 alone".encode("utf-8", "surrogateescape"))
    assert 0


def test_carriage_returns():
    print("one\rtwo\r\nthree\x1b[31mred\x1b[0m\x07\ttab")
    assert 0


def test_no_newline():
    print("no newline", end="")
    assert 0


def test_blank():
    print()
    print("  ")
    assert 0


def test_wide():
    print("ü" * 200, "漢字", "\U0001f600")
    assert 0


def test_much():
    for number in range(20_000):
        print("line", number)


def test_replaces_stdout(monkeypatch):
    import io
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        print("swallowed")
    assert 0


def test_disabled(capsys):
    with capsys.disabled():
        print("shown at once")


def test_reads_stdin():
    with pytest.raises((OSError, EOFError)):
        input()


def test_isatty():
    assert not sys.stdout.isatty()
    assert not os.isatty(1)
