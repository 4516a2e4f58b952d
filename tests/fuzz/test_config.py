"""config.json, with its seccomp profile: a plan, or a sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_nsisolate.runtime.errors import NsisolateError
from pytest_nsisolate.runtime.plan import Plan
from pytest_nsisolate.runtime.spec import config as spec
from tests.capabilities import need
from tests.unit.plans import whole_config
from tests.unit.plans_seccomp import SECCOMP

from .mutate import CASES, Mutator, check_sentence, in_time

MINIMAL = {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a rootfs."""
    path = tmp_path_factory.mktemp("bundle")
    (path / "rootfs").mkdir()
    return path


def read(raw: bytes, bundle: Path) -> Plan | None:
    """Return the plan of a config, or None if it is refused in a sentence."""
    try:
        return spec.parse(spec.decode_text(raw, "config.json"), str(bundle))
    except NsisolateError as error:
        check_sentence(error)
        return None


def test_wrong_values(bundle: Path) -> None:
    """Any value in any place, and any name."""
    for config in Mutator(whole_config(), MINIMAL).cases():
        with in_time(config):
            try:
                spec.parse(config, str(bundle))
            except NsisolateError as error:
                check_sentence(error)


def test_wrong_bytes(bundle: Path) -> None:
    """A file that is damaged in any way."""
    for raw in Mutator(whole_config(), MINIMAL).texts():
        with in_time(raw):
            read(raw, bundle)


@settings(max_examples=CASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes(bundle: Path, raw: bytes) -> None:
    """A file of anything."""
    read(raw, bundle)


def test_seccomp_profiles(bundle: Path) -> None:
    """A profile that is a plan can be compiled, or is refused in a sentence then."""
    need(importlib.util.find_spec("pyseccomp") is not None, "pyseccomp")
    from pytest_nsisolate.runtime.seccomp.compile import compile_profile

    compiled = 0
    for profile in Mutator(SECCOMP).cases():
        config = {**MINIMAL, "linux": {"seccomp": profile}}
        with in_time(profile):
            try:
                plan = spec.parse(config, str(bundle))
                if plan.seccomp is not None:
                    compiled += bool(compile_profile(plan.seccomp))
            except NsisolateError as error:
                check_sentence(error)
    assert compiled
