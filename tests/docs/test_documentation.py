"""What the README and docs/ show works, and what there is is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_nsisolate import options

from .. import capabilities
from ..runtime_spec.table import config_fields

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
USAGE = (ROOT / "docs/usage.md").read_text()
OCI = (ROOT / "docs/oci.md").read_text()


def test_the_example_of_the_readme_passes(pytester: pytest.Pytester) -> None:
    """The README's example is a test that passes."""
    capabilities.need(capabilities.can_unshare("-Ur"), "user namespaces")
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    pytester.makepyfile(example)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_every_setting_and_option_is_documented() -> None:
    """docs/usage.md has each ini setting and each option of the command line."""
    parser = pytest.Parser(_ispytest=True)
    options.add_options(parser)
    for name in parser._inidict:
        assert f"`{name}`" in USAGE or f"`{name} " in USAGE, name
    for group in parser._groups:
        for option in group.options:
            for name in option.names():
                assert name in USAGE, name


def test_every_keyword_of_the_mark_is_documented() -> None:
    """docs/usage.md has each keyword that the mark takes."""
    for name in options._KEYWORDS:
        assert f"`{name}=" in USAGE, name


def test_links_lead_somewhere() -> None:
    """Each relative link in the documentation names a file that is there."""
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_property_of_the_spec_is_documented() -> None:
    """docs/oci.md has each property of config.json and of its objects, and each kind of limit."""
    for field in config_fields():
        names = [step for step in field.steps if step not in {"[]", "*"}]
        depth = 3 if field.path.startswith("linux.resources.") else 2
        if len(names) <= depth:
            assert re.search(rf"`([\w.]+\.)?{names[-1]}\b", OCI), field.path
