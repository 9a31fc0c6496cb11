"""setup.cfg says what the tree and the oldest set say."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.requirements import requirements
from tests.packaging.tree import ROOT, lines

_RUNTIME_EXTRAS = ["argon2", "metrics", "progress"]


def pins() -> dict[str, str]:
    """The versions of the oldest set."""
    text = (ROOT / "tests/oldest.txt").read_text().splitlines()
    pairs = [line.split("==") for line in text if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_package_is_listed() -> None:
    packages = {".".join(path.relative_to(ROOT).parent.parts) for path in ROOT.glob("sesmail/**/*.py")}
    assert set(lines("options", "packages")) == {*packages, "twisted.plugins"}


def test_package_inits_are_there_and_empty() -> None:
    for package in lines("options", "packages"):
        if package != "twisted.plugins":
            assert (ROOT / package.replace(".", "/") / "__init__.py").read_bytes() == b""


def test_twisted_is_not_made_a_package_of_ours() -> None:
    assert [str(path.relative_to(ROOT)) for path in ROOT.glob("twisted/**/*.py")] == ["twisted/plugins/sesmail_plugin.py"]


@pytest.mark.parametrize("line", requirements(_RUNTIME_EXTRAS))
def test_the_oldest_set_is_the_lower_bound(line: str) -> None:
    requirement = Requirement(line)
    if requirement.name == "libpass":
        assert pins()["passlib"] == "1.7.4"
        assert "libpass" not in pins()
        return
    version = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)
    (bound,) = requirement.specifier
    assert version.startswith(bound.version), "the bound is lower than what is tested"
