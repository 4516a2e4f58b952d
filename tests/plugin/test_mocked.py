"""Mocks of what a report is written and sent with, which last longer than the phase that is reported."""

from __future__ import annotations

import pytest

from .project import Project

MOCKED = """
    import base64, binascii, json, socket, pytest

    MOCKED = [
        (json, "dumps"), (json, "loads"), (json, "JSONEncoder"), (json, "JSONDecoder"),
        (json, "_default_encoder"), (json.encoder, "c_make_encoder"),
        (json.encoder, "encode_basestring_ascii"), (json.JSONEncoder, "__init__"),
        (json.JSONEncoder, "encode"), (json.JSONEncoder, "iterencode"), (json.JSONDecoder, "decode"),
        (base64, "b64encode"), (binascii, "b2a_base64"), (socket.socket, "sendall"),
        (socket.socket, "sendmsg"), (socket.socket, "recv"), (socket.socket, "recvmsg"),
    ]
"""


@pytest.mark.parametrize("value", ["lambda *args, **kwargs: 'mocked'", "None"])
def test_in_a_test(project: Project, value: str) -> None:
    """What a test mocks until its teardown does not keep its report from being sent."""
    result = project.test(
        MOCKED
        + f"""
    @pytest.mark.parametrize("mocked", MOCKED, ids=lambda mocked: mocked[1])
    def test_it(monkeypatch, record_property, mocked):
        record_property("bytes", b"bytes")
        monkeypatch.setattr(*mocked, {value})

    def test_fails(monkeypatch):
        monkeypatch.setattr(json, "dumps", {value})
        assert 0
        """,
        "-s",  # reports are answered, then
    )
    result.assert_outcomes(passed=17, failed=1)
    result.stdout.fnmatch_lines(["E * assert 0"])


def test_in_a_session(project: Project) -> None:
    """Nor does what a fixture mocks in the process that tests are cloned from."""
    project.test(
        MOCKED
        + """
    @pytest.fixture(scope="session", autouse=True)
    def mocks():
        with pytest.MonkeyPatch.context() as patch:
            for mocked in MOCKED:
                patch.setattr(*mocked, None)
            yield

    @pytest.mark.parametrize("number", [1, 2])
    def test_it(number, record_property):
        record_property("bytes", b"bytes")
        assert json.dumps is None
        """
    ).assert_outcomes(passed=2)


def test_what_is_cached(project: Project) -> None:
    """What tests put into pytest's cache crosses by itself: pytest has its own use of the module."""
    project.test(
        """
        import json

        def test_it(monkeypatch, cache):
            cache.set("own/key", {"a": [1, None, 2.5, "ü"], 1: (2,)})
            cache.set("own/infinite", float("inf"))

        def test_next(cache):
            assert cache.get("own/key", None) == {"a": [1, None, 2.5, "ü"], "1": [2]}
            assert cache.get("own/infinite", None) == float("inf")
        """
    ).assert_outcomes(passed=2)
