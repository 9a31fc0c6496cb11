"""What `pip install .` brings, and that it goes away again."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT, copy_sources, modules, setup

_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
# A twistd that runs something else must not have to load these to list its plugins.
_HEAVY = [
    "boto3",
    "botocore",
    "yaml",
    "OpenSSL",
    "twisted.internet.reactor",
    "sesmail.config",
    "sesmail.service",
    "sesmail.storage",
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources, target = copy_sources(tmp_path_factory.mktemp("sources")), tmp_path_factory.mktemp("wheel")
    run([*_PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", target, sources])
    (built,) = target.glob("*.whl")
    return built


class Environment:
    """A fresh virtual environment that sees the libraries of this one, with sesmail installed from a wheel."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        run([sys.executable, "-m", "venv", "--without-pip", directory])
        self.bin = directory / "bin"
        (self.site,) = directory.glob("lib/python*/site-packages")
        (self.site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        # In an environment with Twisted inside, this directory is never ours alone.
        (self.site / "twisted/plugins").mkdir(parents=True)
        (self.site / "twisted/plugins/another_plugin.py").touch()
        self.before = self.files()
        self.pip("install", "--no-deps", "--no-index", wheel)

    def pip(self, *arguments: str | Path) -> None:
        run([*_PIP, "--quiet", "--python", self.bin / "python", *arguments])

    def python(self, program: str, *arguments: str) -> str:
        return run([self.bin / "python", "-c", program, *arguments])

    def files(self) -> set[str]:
        found = [*self.site.rglob("*"), *self.bin.iterdir()]
        return {str(path.relative_to(self.bin.parent)) for path in found}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"), wheel)


def run(command: list[str | Path]) -> str:
    """What a command prints, away from the repository; a failure fails the test with all that was said."""
    done = subprocess.run(command, cwd="/", env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_has_the_package_and_the_plugin_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tree = (path.relative_to(ROOT) for path in ROOT.glob("sesmail/**/*") if path.is_file())
    ours = {str(path) for path in tree if "__pycache__" not in path.parts}
    assert names == {*ours, "twisted/plugins/sesmail_plugin.py"}
    assert {"sesmail/aws/cloudformation.yaml", "sesmail/web/page/index.html", "sesmail/web/page/static/start.mjs"} < ours


def test_the_wheel_has_the_template_itself_and_no_link(wheel: Path) -> None:
    packed = zipfile.ZipFile(wheel).read("sesmail/aws/cloudformation.yaml")
    assert packed == (ROOT / "etc/cloudformation/sesmail.yaml").read_bytes()


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    assert any(name.endswith("LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_the_command_is_installed(installed: Environment) -> None:
    said = run([installed.bin / "sesmail", "--help"])
    for word in ("serve", "demo", "check-config"):
        assert word in said
    assert setup()["metadata"]["version"] in run([installed.bin / "sesmail", "--version"])


def test_every_module_is_importable_where_it_is_installed(installed: Environment) -> None:
    program = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    files = installed.python(program, *modules("sesmail")).split()
    assert all(file.startswith(str(installed.site)) for file in files)


def test_twistd_lists_the_plugin(installed: Environment) -> None:
    said = installed.python("import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()", "--help")
    assert any(line.split()[:1] == ["sesmail"] for line in said.splitlines())


def test_listing_plugins_loads_nothing_heavy(installed: Environment) -> None:
    program = (
        "import sys\n"
        "from twisted.application.service import IServiceMaker\n"
        "from twisted.plugins import sesmail_plugin\n"
        "import twisted.plugin\n"
        "print('sesmail' in [maker.tapname for maker in twisted.plugin.getPlugins(IServiceMaker)])\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])\n"
    )
    assert installed.python(program, *_HEAVY).splitlines() == ["True", "[]"]


def test_uninstalling_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    environment = Environment(tmp_path / "environment", wheel)
    assert environment.files() > environment.before
    run([environment.bin / "sesmail", "--help"])
    environment.pip("uninstall", "--yes", "sesmail")
    assert environment.files() == environment.before
