"""The door for monitoring: figures in Prometheus' formats, life, readiness, and who may see what."""

from __future__ import annotations

import json
from collections.abc import Mapping

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from sesmail.counters import Snapshot
from sesmail.web.answers import Answer, Head
from sesmail.web.monitordoor import MonitorDoor

SEEN: Snapshot = {
    "t_total": {"kind": "counter", "help": "How many.", "labels": ["who"], "over": "sum", "values": [[['a"\n\\'], 3]]},
    "t_open": {"kind": "gauge", "help": "How many now.", "labels": [], "over": "sum", "values": [[[], 2.5]]},
    "t_seconds": {
        "kind": "histogram",
        "help": "How long.",
        "labels": [],
        "over": "sum",
        "buckets": [0.5, 1.0],
        "values": [[[], [2, 0, 1, 9.5]]],
    },
}
SAMPLES = {
    ("t_total", 'a"\n\\'): 3,
    ("t_open",): 2.5,
    ("t_seconds_bucket", "0.5"): 2,
    ("t_seconds_bucket", "1.0"): 2,
    ("t_seconds_bucket", "+Inf"): 3,
    ("t_seconds_count",): 3,
    ("t_seconds_sum",): 9.5,
}


def samples(families: object) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value
        for family in families  # type: ignore[attr-defined]
        for one in family.samples
    }


class MonitorDoorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: dict[str, str | None] = {"storage": None, "ses": "AccessDenied: arn:aws:iam::123"}

    def ask(self, path: str, *, peer: str = "here", accept: str = "", method: str = "GET", library: bool = True) -> Answer:
        async def ready() -> Mapping[str, str | None]:
            return self.said

        door = MonitorDoor((lambda: SEEN) if library else None, ready, self.said, lambda peer: peer == "here")
        head = Head(method, path, Headers({"Accept": [accept]} if accept else {}), 0, peer)
        refused = door.refusal(head)
        return refused or self.successResultOf(Deferred.fromCoroutine(door.answer(head, b"")))

    def document(self, path: str, peer: str = "here") -> tuple[int, dict[str, object]]:
        answer = self.ask(path, peer=peer)
        return answer.code, json.loads(answer.body or b"")

    def test_prometheus_reads_all_figures_in_its_text_format(self) -> None:
        answer = self.ask("/metrics")
        assert dict(answer.headers)["Content-Type"].startswith("text/plain; version=")
        assert samples(text((answer.body or b"").decode())) == SAMPLES

    def test_prometheus_reads_all_figures_as_openmetrics_when_it_asks_for_that(self) -> None:
        answer = self.ask("/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert dict(answer.headers)["Content-Type"].startswith("application/openmetrics-text")
        assert (answer.body or b"").endswith(b"# EOF\n")
        assert samples(open_metrics((answer.body or b"").decode())) == SAMPLES

    def test_without_the_library_it_says_what_to_install(self) -> None:
        answer = self.ask("/metrics", library=False)
        assert answer.code == 501
        assert b"prometheus-client is not installed: apt install" in (answer.body or b"")

    def test_strangers_see_no_figures(self) -> None:
        answer = self.ask("/metrics", peer="there")
        assert answer.code == 403
        assert b"t_total" not in (answer.body or b"")

    def test_it_lives_for_everybody(self) -> None:
        assert [self.ask("/healthz", peer=peer).code for peer in ("here", "there")] == [200, 200]

    def test_it_is_ready_when_nothing_is_wrong(self) -> None:
        self.said["ses"] = None
        assert self.document("/readyz") == (200, {"ready": True, "storage": "ok", "ses": "ok"})

    def test_it_is_not_ready_when_something_is_wrong_and_says_why(self) -> None:
        expected = {"ready": False, "storage": "ok", "ses": "AccessDenied: arn:aws:iam::123"}
        assert self.document("/readyz") == (503, expected)

    def test_strangers_hear_no_reasons(self) -> None:
        assert self.document("/readyz", "there") == (503, {"ready": False, "storage": "ok", "ses": "wrong"})

    def test_one_thing_alone_can_be_asked_about(self) -> None:
        assert self.document("/readyz/storage") == (200, {"ready": True, "storage": "ok"})
        assert self.ask("/readyz/ses").code == 503

    def test_nothing_else_is_there_and_nothing_is_changed(self) -> None:
        assert [self.ask(path).code for path in ("/", "/metrics/", "/readyz/", "/readyz/disk", "/healthz/x")] == [404] * 5
        assert [self.ask("/metrics", method=method).code for method in ("POST", "PUT", "DELETE")] == [405] * 3

    def test_no_answer_is_kept_by_anybody_on_the_way(self) -> None:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert ("Cache-Control", "no-store") in self.ask(path).headers
