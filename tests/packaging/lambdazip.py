"""Write the zip of the functions for AWS Lambda: ``lambdazip.py FILE``. The same tree, libraries and Python give the same bytes.

In it is what the functions import, and what of it Lambda's Python does not have, as long as that is pure Python.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT = Path(__file__).parents[2]

# What Lambda's Python has, and what is put into the zip: names of packages, and of their distributions.
RUNTIME = frozenset({"boto3", "botocore", "urllib3"})
CARRIED = {"idna": "idna", "jwt": "PyJWT", "yaml": "PyYAML"}

# Files that are read, by the module that reads them.
DATA = {"sesmail/api/document.py": "sesmail/api/openapi.yaml"}


class CannotBeCarried(Exception):
    """A function needs a library that is neither in Lambda nor pure Python; the text says who imports it."""


def contents() -> dict[str, bytes]:
    """Every file of the zip, by its name. Raises CannotBeCarried."""
    ours, libraries = imported(ROOT)
    read = [DATA[name] for name in ours if name in DATA]
    found = {name: (ROOT / name).read_bytes() for name in (*ours, *read, "LICENSE")}
    for library in sorted(libraries):
        found.update(_library(CARRIED[library]))
    return found


def write(file: Path, files: dict[str, bytes]) -> None:
    """Neither the order nor the times of the files tell when or where it was made."""
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])


def imported(root: Path) -> tuple[set[str], set[str]]:
    """Our files that the functions import, wherever in a file, and the libraries that must be carried."""
    left = sorted(str(path.relative_to(root)) for path in root.glob("sesmail/functions/*.py"))
    ours: set[str] = set()
    libraries: set[str] = set()
    while left:
        name = left.pop()
        if name in ours:
            continue
        ours.add(name)
        for module in _modules(ast.parse((root / name).read_bytes())):
            top = module.partition(".")[0]
            if top == "sesmail":
                left.extend(_files(module, root))
            elif top in CARRIED:
                libraries.add(top)
            elif top not in RUNTIME and top not in sys.stdlib_module_names:
                raise CannotBeCarried(f"{name} imports {module}, which Lambda does not have and the zip cannot carry")
    return ours, libraries


def _modules(node: ast.AST) -> Iterator[str]:
    """What a file imports, also within functions; what stands after ``from x import`` may be a module or not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (one.name for one in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from (f"{child.module}.{one.name}" for one in child.names)
        else:
            yield from _modules(child)


def _files(module: str, root: Path) -> Iterator[str]:
    """The files of ours that are loaded for a module; none for a name that is no module."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        place = "/".join(parts[:length])
        yield from (name for name in (f"{place}/__init__.py", f"{place}.py") if (root / name).is_file())


def _library(name: str) -> Iterator[tuple[str, bytes]]:
    for file in distribution(name).files or ():
        path = Path(str(file.locate()))
        if file.suffix == ".py" and file.parts[0] in CARRIED:
            yield str(file), path.read_bytes()
        elif file.name.upper().startswith("LICENSE"):
            yield f"licenses/{name}/{file.name}", path.read_bytes()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(target, contents())
    except CannotBeCarried as error:
        sys.exit(f"lambdazip.py: {error}")
