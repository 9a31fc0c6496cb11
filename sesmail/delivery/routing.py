"""From an envelope to a plan: the tables are asked, the verdicts judged, and then it is routed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sesmail.aliases.model import Target
from sesmail.aws.receipt import Verdicts
from sesmail.delivery.plan import Plan
from sesmail.delivery.route import JUNK, route
from sesmail.delivery.targets import Targets, look_up
from sesmail.delivery.verdicts import Judgement, VerdictRules, judge
from sesmail.mail.envelope import Envelope


class Routing:
    """`targets_of` is `Model.resolve`. As thread-safe as the tables are."""

    def __init__(
        self,
        targets_of: Callable[[str], Sequence[Target]],
        targets: Targets,
        rules: VerdictRules,
        *,
        junk: str = JUNK,
    ) -> None:
        self._targets_of = targets_of
        self._targets = targets
        self._rules = rules
        self._junk = junk

    def plan(self, sender: str, recipients: Sequence[str], verdicts: Verdicts | None = None) -> Plan:
        """What is to be done for these recipients, at least one. Without `verdicts` the mail is our own users', and trusted as such.
        Raises Unavailable when a table cannot be asked."""
        envelope = Envelope(sender, tuple(recipients))
        resolved = look_up(envelope, self._targets_of, self._targets)
        judgement = Judgement(authenticated=True) if verdicts is None else judge(verdicts, self._rules)
        return route(envelope, resolved, judgement, junk=self._junk)
