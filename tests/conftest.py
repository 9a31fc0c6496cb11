"""What holds for every test: no real credentials in reach, no test skipped silently, none that runs for ever."""

from __future__ import annotations

import atexit
import faulthandler
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

import hypothesis
import pytest

from sesmail.log import write_fates
from tests.coroutines import await_tests
from tests.recorder import sitecustomize

_ROOT = Path(__file__).parents[1]
_LIMIT = 120.0
# After the limit the test is failed; a reactor may swallow that, so after the grace the whole run is ended.
_GRACE = 60.0
# The profile fuzz has fifty times the examples of the usual one.
_FUZZ_TAKES = 10
# Rooms with files that take minutes, or nearly. They begin first: then processes that share the suite end together.
_LONG = ("clients", "faults", "gateways", "importers", "service", "browser", "cli")
_stderr = pytest.StashKey[IO[bytes]]()


def _shut_off_the_machine() -> None:
    """Nothing of this machine's user, and no way to AWS: neither for the tests nor for what they start."""
    for name in list(os.environ):
        if name.upper().startswith(("AWS_", "SESMAIL_")) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    # Programs of ours are started by the hundred: they must not be compiled each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home = tempfile.mkdtemp(prefix="sesmail-home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        HOME=home,
        XDG_CONFIG_HOME=f"{home}/.config",
        PYTHONPATH=str(_ROOT),
        AWS_ACCESS_KEY_ID="AKIANOBODYNOBODY0000",
        AWS_SECRET_ACCESS_KEY="nobody-at-all",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=f"{home}/.aws/config",
        AWS_SHARED_CREDENTIALS_FILE=f"{home}/.aws/credentials",
    )


def _note_what_aws_is_asked_for() -> Path | None:
    """Here and in what the tests start. Returns where, None if a run around this one looks at it."""
    given = os.environ.get(sitecustomize.FOLDER)
    folder = given or tempfile.mkdtemp(prefix="sesmail-rights-")
    os.environ[sitecustomize.FOLDER] = folder
    os.environ["PYTHONPATH"] += f"{os.pathsep}{Path(sitecustomize.__file__).parent}"
    sitecustomize.note_in(folder)
    if given:
        return None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


_shut_off_the_machine()
_noted = _note_what_aws_is_asked_for()
await_tests()
hypothesis.settings.register_profile("usual", deadline=None, derandomize=True, database=None, max_examples=100)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=5_000, print_blob=True)
hypothesis.settings.load_profile("usual")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", action="store_true", help="run the proofs that take minutes as well")


def pytest_configure(config: pytest.Config) -> None:
    # Here output is not captured yet, so this one is the real one.
    config.stash[_stderr] = os.fdopen(os.dup(2), "wb", buffering=0)
    # Newer versions of xdist would begin with the files that have most tests, which take seconds.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in _LONG)
    if config.getoption("--proof"):
        return
    proofs = [item for item in items if item.get_closest_marker("proof")]
    config.hook.pytest_deselected(items=proofs)
    items[:] = [item for item in items if item not in proofs]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What the code asked of AWS while the tests ran has to be in a policy that is printed for it."""
    if _noted is None:
        return
    from tests.aws.rights import missing, noted

    if found := missing(noted(_noted)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        lines = [
            f"{operation}, called by {where}, is in no policy that `sesmail iam-policy` prints"
            for operation, where in found.items()
        ]
        os.write(session.config.stash[_stderr].fileno(), "\n".join(["", *lines, ""]).encode())


@pytest.fixture(autouse=True)
def _fates_go_to_the_logger() -> Iterator[None]:
    """Again: a gateway that a test built in this process writes them elsewhere."""
    yield
    write_fates()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    _refuse_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    outcome: Any = yield
    _refuse_skip(outcome.get_result())


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A skipped test is a promise that nobody checks: what it needs belongs into the Makefile. (An expected failure is not one.)"""
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which no test may be: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("limit")
    limit = float(marker.args[0]) if marker else _LIMIT
    if item.config.getoption("--hypothesis-profile", None) == "fuzz":
        limit *= _FUZZ_TAKES
    stderr = item.config.stash[_stderr]

    def out_of_time(number: int, frame: FrameType | None) -> None:
        faulthandler.dump_traceback(stderr)
        pytest.fail(f"still running after {limit:g} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, limit)
    faulthandler.dump_traceback_later(limit + _GRACE, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)
