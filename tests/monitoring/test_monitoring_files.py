"""The alerts and the dashboard: promtool understands them, they name only figures that exist, and each alert fires when it should."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import sesmail
from sesmail.counters import snapshot

_ROOT = Path(__file__).parents[2]
ALERTS = _ROOT / "etc" / "monitoring" / "alerts.yaml"
DASHBOARD = json.loads((_ROOT / "etc" / "monitoring" / "grafana-dashboard.json").read_text())
CASES = Path(__file__).with_name("alerts.test.yaml")
PROMTOOL = _ROOT / ".venv-tools" / "bin" / "promtool"

_RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
_PARTS = ("_bucket", "_sum", "_count")
# What Prometheus itself adds.
_ADDED = {"job", "instance", "le"}


def promtool(*arguments: str | Path) -> None:
    """Raises AssertionError with what it says when it finds something wrong."""
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def declared() -> dict[str, set[str]]:
    """The labels of every name that a gateway may tell."""
    for module in pkgutil.walk_packages(sesmail.__path__, "sesmail."):
        importlib.import_module(module.name)
    found: dict[str, set[str]] = {"up": _ADDED}
    for name, family in snapshot().items():
        parts = _PARTS if family["kind"] == "histogram" else ("",)
        found |= {f"{name}{part}": {*family["labels"], *_ADDED} for part in parts}
    return found


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> list[str]:
    """Of the dashboard, with a value for each of Grafana's variables."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [re.sub(r"\$\w+", ".*", one.replace("$__rate_interval", "5m")) for one in asked]


def unknown(query: str, known: dict[str, set[str]]) -> set[str]:
    """Names of figures, and labels that a figure is asked for, that do not exist."""
    wrong = set(re.findall(r"\b(?:sesmail_\w+|up)\b(?!\s*:)", query)) - known.keys()
    for name, asked in re.findall(r"\b(sesmail_\w+|up)\{([^}]*)\}", query):
        wrong |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", asked)) - known.get(name, set())
    labels = {label for name in re.findall(r"\b(?:sesmail_\w+|up)\b", query) for label in known.get(name, set())}
    for asked in re.findall(r"\bby \(([^)]*)\)", query):
        wrong |= {label.strip() for label in asked.split(",")} - labels
    return wrong


def test_promtool_finds_nothing_wrong_with_the_alerts() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


def test_each_alert_fires_when_it_should_and_not_when_it_should_not(tmp_path: Path) -> None:
    # What an alert says is compared letter by letter, which would hold nobody to anything.
    rules = [{key: value for key, value in rule.items() if key != "annotations"} for rule in _RULES]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": [{"name": "sesmail", "rules": rules}]}))
    promtool("test", "rules", Path(shutil.copy(CASES, tmp_path)))


def test_no_alert_is_without_a_case_in_which_it_fires() -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == {rule["alert"] for rule in _RULES}


@pytest.mark.parametrize("rule", _RULES, ids=[rule["alert"] for rule in _RULES])
def test_each_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert rule["annotations"]["description"]


def test_alerts_and_dashboard_name_only_figures_and_labels_that_exist() -> None:
    known = declared()
    for query in [rule["expr"] for rule in _RULES] + queries():
        assert unknown(query, known) == set(), query


def test_the_dashboard_shows_every_figure() -> None:
    shown = set(re.findall(r"sesmail_\w+", "\n".join(queries())))
    names = {re.sub(r"_(?:bucket|sum|count)\Z", "", name) for name in declared()} - {"up"}
    assert names - {re.sub(r"_bucket\Z", "", name) for name in shown} == set()


def test_promtool_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_every_panel_has_a_place_of_its_own_and_asks_the_chosen_source() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    for panel in panels():
        assert panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
