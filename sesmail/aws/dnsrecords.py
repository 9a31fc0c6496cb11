"""What DNS has to say about a domain whose mail SES takes and sends, and whose people read it here.

https://docs.aws.amazon.com/ses/latest/dg/receiving-email-mx-record.html, mail-from.html and send-email-authentication-dkim-easy.html;
RFC 7208 (SPF), RFC 7489 (DMARC), RFC 8461 (MTA-STS), RFC 8460 (TLS reports), RFC 6186 and RFC 8314 section 5.1 (SRV).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

SPF = "v=spf1 include:amazonses.com ~all"
_PRIORITY = 10


class State(Enum):
    """Of what is wanted, when it was looked for."""

    GOOD = "ok"
    MISSING = "missing"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Record:
    """One record. `name` and names in `answer` are whole, without a dot at their end; the answer of a TXT is its text.

    `same` says of an answer that is another one whether it will do as well. `why` is what goes wrong without the record. Instead of a CNAME
    that only has to lead somewhere, an address of the name's own will do (`leads`).
    """

    name: str
    type: str
    answer: str
    why: str
    same: Callable[[str], bool] | None = None
    leads: bool = False

    def will_do(self, answer: str) -> bool:
        """Whether this answer is the right one, or as good."""
        if self.leads or (self.same is not None and self.same(answer)):
            return True
        return answer == self.answer if self.type == "TXT" else answer.lower() == self.answer.lower()

    def concerns(self, answer: str) -> bool:
        """Whether the answer is about the same thing: a name may have texts for all kinds of purposes."""
        return self.type != "TXT" or _version(answer) == _version(self.answer)


def _version(text: str) -> str:
    return text.replace(";", " ").partition(" ")[0].lower()


@dataclass(frozen=True)
class Service:
    """What people's programs connect to: ``_pop3s``, ``_submissions`` and so on. Without a port it is not offered."""

    name: str
    port: int | None


@dataclass(frozen=True)
class Wanted:
    """What the records are about. `mail_from` is the label of the MAIL FROM domain, or empty; `host` the gateway, where it has a name.

    `tokens` are SES's three for DKIM; `signer` the zone with the keys that they lead to, see identities. `dmarc` is the policy.
    """

    domain: str
    region: str
    mail_from: str = "mail"
    host: str | None = None
    services: Sequence[Service] = ()
    tokens: Sequence[str] = ()
    signer: str = ""
    dmarc: str = "none"
    reports: str | None = None
    enforce: bool = False

    @property
    def inbound(self) -> str:
        """Where SES takes mail."""
        return f"inbound-smtp.{self.region}.amazonaws.com"


def records(wanted: Wanted) -> list[Record]:
    """All of them, in the order in which they are set up."""
    return [
        *_receiving(wanted),
        *_signing(wanted),
        *_sending(wanted),
        *_transport(wanted),
        *(_programs(wanted) if wanted.host else ()),
    ]


def sts_policy(wanted: Wanted) -> str:
    """The file that ``https://mta-sts.DOMAIN/.well-known/mta-sts.txt`` has to be (RFC 8461 section 3.2)."""
    mode = "enforce" if wanted.enforce else "testing"
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {wanted.inbound}\r\nmax_age: 604800\r\n"


def _receiving(wanted: Wanted) -> list[Record]:
    return [Record(wanted.domain, "MX", f"{_PRIORITY} {wanted.inbound}", "SES gets no mail", _to(wanted.inbound))]


def _signing(wanted: Wanted) -> list[Record]:
    why = "SES does not verify the domain, and signs nothing (DKIM)"
    return [Record(f"{token}._domainkey.{wanted.domain}", "CNAME", f"{token}.{wanted.signer}", why) for token in wanted.tokens]


def _sending(wanted: Wanted) -> list[Record]:
    domain, found = wanted.domain, []
    if wanted.mail_from:
        own = f"{wanted.mail_from}.{domain}"
        bounces = f"feedback-smtp.{wanted.region}.amazonses.com"
        found.append(Record(own, "MX", f"{_PRIORITY} {bounces}", "SES sends nothing from its MAIL FROM domain", _to(bounces)))
        found.append(Record(own, "TXT", SPF, "SPF fails for what SES sends", _is_spf))
    reports = wanted.reports or f"postmaster@{domain}"
    return [
        *found,
        Record(domain, "TXT", SPF, "others may send in the name of the domain unnoticed (SPF)", _is_spf),
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p={wanted.dmarc}; rua=mailto:{reports}",
            "nobody is told what to do with forged mail (DMARC)",
            _begins("v=DMARC1", "p"),
        ),
    ]


def _to(host: str) -> Callable[[str], bool]:
    """Of answers that say the same but for priorities."""

    def same(answer: str) -> bool:
        return f" {answer.lower()}".endswith(f" {host}")

    return same


def _is_spf(text: str) -> bool:
    words = text.lower().split(" ")
    return words[0] == "v=spf1" and bool({"include:amazonses.com", "+include:amazonses.com"} & set(words))


def _begins(version: str, *names: str) -> Callable[[str], bool]:
    """Of texts that are tags with semicolons between them."""

    def same(text: str) -> bool:
        first, *rest = (part.strip() for part in text.split(";"))
        return first == version and set(names) <= {part.partition("=")[0].strip() for part in rest}

    return same


def _transport(wanted: Wanted) -> list[Record]:
    domain, why = wanted.domain, "mail servers may be led to deliver without TLS (MTA-STS)"
    number = sha256(sts_policy(wanted).encode()).hexdigest()[:20]
    policy = Record(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={number}", why, _begins("v=STSv1", "id"))
    reports = wanted.reports or f"postmaster@{domain}"
    told = Record(
        f"_smtp._tls.{domain}",
        "TXT",
        f"v=TLSRPTv1; rua=mailto:{reports}",
        "nobody tells you when TLS fails",
        _begins("v=TLSRPTv1", "rua"),
    )
    return [policy, *([Record(f"mta-sts.{domain}", "CNAME", wanted.host, why, leads=True)] if wanted.host else []), told]


def _programs(wanted: Wanted) -> list[Record]:
    domain, host = wanted.domain, wanted.host or ""
    why = "mail programs ask people for servers and ports"
    found = [Record(f"autoconfig.{domain}", "CNAME", host, why, leads=True)]
    for service in wanted.services:
        # A dot says that there is no such service (RFC 2782); whoever has it elsewhere may say so.
        answer = "0 0 0 ." if service.port is None else f"0 1 {service.port} {host}"
        same = _to(answer.split(" ", 2)[2])
        found.append(Record(f"{service.name}._tcp.{domain}", "SRV", answer, why, same, leads=service.port is None))
    return found


def zone(found: Sequence[Record]) -> str:
    """As lines of a zone file (RFC 1035 section 5)."""
    width = max(len(record.name) for record in found) + 1
    return "".join(f"{record.name + '.':{width}} 3600 IN {record.type:5} {_data(record)}\n" for record in found)


def _data(record: Record) -> str:
    if record.type == "TXT":
        return " ".join(f'"{part}"' for part in strings(record.answer))
    *before, name = record.answer.split(" ")
    return " ".join([*before, name if name.endswith(".") else f"{name}."])


def strings(text: str) -> list[str]:
    """A text as the strings of a TXT record, of 255 octets each at most; quotation marks and backslashes escaped."""
    parts = [text[start : start + 255] for start in range(0, len(text), 255)] or [""]
    return [part.replace("\\", "\\\\").replace('"', '\\"') for part in parts]
