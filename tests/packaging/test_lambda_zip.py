"""What `make lambda` writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.functions.lambdas import package, unpacked
from tests.packaging import lambdazip
from tests.packaging.tree import ROOT, modules


def names() -> list[str]:
    return ZipFile(package()).namelist()


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for seed, zone in (("7", "Asia/Tokyo"), ("8", "UTC")):
        made.append(tmp_path / seed / "lambda.zip")
        environ = {"PYTHONHASHSEED": seed, "TZ": zone, "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, ROOT / "tests/packaging/lambdazip.py", made[-1]], cwd="/", env=environ, check=True)
    assert made[0].read_bytes() == made[1].read_bytes()


def test_it_is_small() -> None:
    assert package().stat().st_size < 500_000


def test_in_it_are_the_functions_and_only_what_they_import() -> None:
    ours = {name for name in names() if name.startswith("sesmail/")}
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("sesmail/functions/*.py")} <= ours
    rooms = {name.split("/")[1] for name in ours}
    assert not rooms & {"service", "cli", "web", "protocols"}
    assert not any(name.startswith("sesmail/storage/read/") for name in ours)


def test_it_is_python_and_one_document_in_order_and_without_a_time() -> None:
    entries = ZipFile(package()).infolist()
    assert names() == sorted(set(names()))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    assert {name for name in names() if not name.endswith(".py") and "LICENSE" not in name} == {"sesmail/api/openapi.yaml"}


def test_libraries_in_it_have_their_licences_beside_them() -> None:
    carried = {name.split("/")[0] for name in names() if not name.startswith(("sesmail/", "licenses/", "LICENSE"))}
    licensed = {lambdazip.CARRIED[name] for name in carried}
    assert licensed == {name.split("/")[1] for name in names() if name.startswith("licenses/")}
    assert "LICENSE" in names()


def test_files_that_are_read_are_named_with_who_reads_them() -> None:
    readers = {
        str(path.relative_to(ROOT)) for path in ROOT.glob("sesmail/**/*.py") if "importlib.resources" in path.read_text()
    }
    assert {name for name in names() if name in readers} == set(lambdazip.DATA)


@pytest.mark.parametrize("module", [name for name in modules("sesmail.functions") if name != "sesmail.functions"])
def test_every_function_is_loaded_with_what_lambda_has(tmp_path: Path, module: str) -> None:
    task = tmp_path / "task"
    libraries = unpacked(task)
    program = "import sys, importlib; sys.path[:0] = sys.argv[1:3]; importlib.import_module(sys.argv[3]); print('twisted' in sys.modules)"
    command: list[str | Path] = [sys.executable, "-I", "-S", "-B", "-c", program, task, libraries, module]
    assert subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    "line",
    [
        "import cryptography.x509",
        "def f():\n    import cryptography",
        "from sesmail.aws import sealing",
        "from sesmail.aws.sealing import opened",
    ],
)
def test_a_library_that_lambda_does_not_have_is_refused(tmp_path: Path, line: str) -> None:
    plant(tmp_path, "functions", "sort", line)
    plant(tmp_path, "aws", "sealing", "from cryptography import x509\ndef opened(): ...")
    with pytest.raises(lambdazip.CannotBeCarried, match=r"sesmail/.*py imports cryptography"):
        lambdazip.imported(tmp_path)


def test_what_is_imported_for_types_alone_is_not_carried(tmp_path: Path) -> None:
    plant(tmp_path, "functions", "sort", "if TYPE_CHECKING:\n    import cryptography\nimport json, boto3, yaml.nodes")
    ours, libraries = lambdazip.imported(tmp_path)
    assert (sorted(ours), libraries) == (["sesmail/functions/sort.py"], {"yaml"})


def plant(root: Path, room: str, name: str, source: str) -> None:
    (root / "sesmail" / room).mkdir(parents=True)
    (root / "sesmail" / room / f"{name}.py").write_text(source)
