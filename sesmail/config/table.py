"""Every option of sesmail: name, type, default and one sentence. The loader, the manual and the tests go by this table.

Names are those of the YAML file; a trailing underscore only keeps a name apart from a Python keyword. Times are seconds,
sizes are octets. `Config` is what rooms above floor 3 are given; below, only plain values travel.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, cast

from sesmail.config.aliases import Aliases
from sesmail.config.aws import ADDRESSING, KEY_ID, KMS_KEY, OWNER, PROFILE, REGION, ROLE
from sesmail.config.delivering import Deliver
from sesmail.config.kinds import (
    DOMAIN,
    DOMAIN_OR_EMPTY,
    EXPIRE,
    PATH,
    PATH_OR_EMPTY,
    SECRET,
    SWITCH,
    AnyOr,
    Entry,
    ListOf,
    choice,
    duration,
    matching,
    optional,
    seconds,
    size,
    whole,
)
from sesmail.config.listeners import Listener
from sesmail.config.locations import (
    AUTH_URL,
    ENDPOINT_URL,
    FOR,
    PASSWD_KEY,
    PATH_OR_KEY,
    PREFIX,
    SOCKET,
    STORE_URL,
    STORE_URL_OR_NONE,
    TEMPLATE,
    USER,
)
from sesmail.config.monitoring import Monitor
from sesmail.config.option import option, required
from sesmail.config.page import Page
from sesmail.config.receiving import Incoming, LmtpOut, Routing
from sesmail.config.receivingdoors import Feedback, Lmtp, Queue, Sns
from sesmail.config.sealing import Sealed
from sesmail.config.sending import Relay, Ses, Smarthost, Submission
from sesmail.config.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where mail lies: a bucket, or a directory with the same keys."""

    url: str = option(
        STORE_URL_OR_NONE,
        "",
        's3://BUCKET or file:///DIRECTORY; none is no store; "" is the embedded default, the folder mail in service.state_dir.',
    )
    region: str | None = option(optional(REGION), None, "AWS region of the bucket; null asks the AWS settings of the machine.")
    endpoint: str | None = option(
        optional(ENDPOINT_URL), None, "URL of an S3 server that is not AWS, such as http://127.0.0.1:8333."
    )
    addressing: str = option(
        ADDRESSING, "auto", "Whether a bucket is named in the path or in the host name; auto picks path when endpoint is set."
    )
    expected_bucket_owner: str | None = option(
        optional(OWNER), None, "Account number that must own the bucket; S3 refuses every request if another does."
    )
    encryption: str | None = option(
        optional(choice("sse-s3", "sse-kms")),
        None,
        "How S3 itself is asked to encrypt all that is written, in every bucket; null leaves it to the bucket.",
    )
    encryption_key: str | None = option(
        optional(KMS_KEY), None, "KMS key for encryption: sse-kms; null is the one that AWS keeps for S3."
    )
    access_key_id: str | None = option(
        optional(KEY_ID), None, "Access key; null asks the usual chain (environment, profile, container, instance role)."
    )
    secret_access_key: str | None = option(optional(SECRET), None, "Secret of the access key.")
    session_token: str | None = option(optional(SECRET), None, "Session token, when the access key is a temporary one.")
    profile: str | None = option(optional(PROFILE), None, "Profile of the AWS config files to take credentials from.")
    assume_role: str | None = option(optional(ROLE), None, "ARN of a role to assume with the credentials found.")
    external_id: str | None = option(optional(SECRET), None, "External id to give when assuming the role.")
    connect_timeout: float = option(duration(0.1, 3600), "5", "Longest wait for a connection to S3.")
    read_timeout: float = option(duration(0.1, 3600), "30", "Longest wait for S3 to send something.")
    attempts: int = option(whole(1, 20), "4", "How often a request is tried when S3 fails or asks to slow down.")
    connections: int = option(whole(1, 10_000), "64", "Most connections to one S3 server at a time.")


@dataclass(frozen=True, kw_only=True)
class PlaceFor:
    """Mail of one domain or one account that lies elsewhere.

    What an entry leaves out is as in the entry of its domain, then as in storage and mailboxes.
    """

    for_: str = required(FOR, "The domain (example.com) or the account (tom@example.com) it is about.")
    prefix: str | None = option(
        optional(PREFIX), None, 'Literal key prefix of the mailbox, used as it is; "" is the whole store.'
    )
    template: str | None = option(optional(TEMPLATE), None, "Template as in mailboxes.template; not together with prefix.")
    nested: bool | None = option(optional(SWITCH), None, "As mailboxes.nested, for these mailboxes.")
    sealed: bool | None = option(optional(SWITCH), None, "As mailboxes.sealed, for these mailboxes.")
    url: str | None = option(optional(STORE_URL), None, "As storage.url.")
    region: str | None = option(optional(REGION), None, "As storage.region.")
    endpoint: str | None = option(optional(ENDPOINT_URL), None, "As storage.endpoint.")
    addressing: str | None = option(optional(ADDRESSING), None, "As storage.addressing.")
    expected_bucket_owner: str | None = option(optional(OWNER), None, "As storage.expected_bucket_owner.")
    access_key_id: str | None = option(optional(KEY_ID), None, "As storage.access_key_id.")
    secret_access_key: str | None = option(optional(SECRET), None, "As storage.secret_access_key.")
    session_token: str | None = option(optional(SECRET), None, "As storage.session_token.")
    profile: str | None = option(optional(PROFILE), None, "As storage.profile.")
    assume_role: str | None = option(optional(ROLE), None, "As storage.assume_role.")
    external_id: str | None = option(optional(SECRET), None, "As storage.external_id.")


@dataclass(frozen=True, kw_only=True)
class Mailboxes:
    """Which keys of the bucket are whose mail."""

    template: str = option(
        TEMPLATE, "mailboxes/%d/%u/", "Key prefix of a mailbox; %d is the domain, %u the part before the @, %% a percent sign."
    )
    passwd: str = option(PASSWD_KEY, "mailboxes/%d/passwd.txt", "Key of the password file of a domain.")
    domains: tuple[str, ...] | None = option(AnyOr(DOMAIN), None, "Domains that are served; logins of others are refused.")
    default_domain: str = option(DOMAIN_OR_EMPTY, "", "Domain of a login name that has none.")
    nested: bool = option(SWITCH, "false", "Whether keys in sub-folders of a mailbox are mail too.")
    sealed: bool = option(SWITCH, "false", "Whether mail that was not read yet is taken for encrypted when its size is told.")
    mixed_case: bool = option(SWITCH, "true", "Whether folders of older programs in another case (Tom/) are read as well.")
    lock: str = option(
        choice("process", "bucket", "none"),
        "process",
        "process allows one POP3 session per mailbox; bucket one among all gateways; none lets sessions share it.",
    )
    lock_idle: float = option(
        duration(0, 86400), "30", "After this long without a command a session that deleted nothing lets another in."
    )
    lock_lease: float = option(
        duration(3, 3600), "60", "How long a mailbox stays locked by a gateway that has died, where lock is bucket."
    )
    places: tuple[PlaceFor, ...] = option(ListOf(Entry(PlaceFor, "place")), (), "Mail that lies in other places.")


@dataclass(frozen=True, kw_only=True)
class ReadAhead:
    """How much is fetched before the client asks for it."""

    messages: int = option(whole(0, 1000), "64", "Most messages fetched ahead in one session.")
    session_bytes: int = option(size(64 << 10), "8 MiB", "Most memory for one session's messages.")
    total_bytes: int = option(size(1 << 20), "128 MiB", "Most memory for the messages of all sessions together.")


@dataclass(frozen=True, kw_only=True)
class User:
    """An account that is written in this file."""

    name: str = required(USER, "Login name, with or without a domain.")
    password: str = required(SECRET, "Password.")
    address: str | None = option(optional(USER), None, "Mail address of the account; null takes the name if it has a domain.")
    prefix: str | None = option(
        optional(PREFIX), None, 'Literal key prefix of the mailbox, "" being the whole store; null goes by mailboxes.template.'
    )
    nested: bool | None = option(optional(SWITCH), None, "As mailboxes.nested, for this mailbox.")
    sealed: bool | None = option(optional(SWITCH), None, "As mailboxes.sealed, for this mailbox.")


@dataclass(frozen=True, kw_only=True)
class Auth:
    """Who may log in."""

    checkers: tuple[str, ...] = option(
        ListOf(matching("checker", "the name of a checker", r"[a-z][a-z0-9_-]{0,40}")),
        ("static", "passwd"),
        "Who is asked about a login, in this order: static, passwd, passwd-file, jwt, http or dovecot.",
    )
    users: tuple[User, ...] = option(ListOf(Entry(User, "user")), (), "Accounts of the checker static.")
    passwd_cache: float = option(duration(0, 86400), "30", "How long a password file is believed before it is looked at again.")
    passwd_file: str | None = option(
        optional(PATH_OR_KEY), None, "Password file of the checker passwd-file: a path of this machine, or a key in the store."
    )
    upgrade: bool = option(
        SWITCH, "false", "Whether old hashes in password files are replaced by better ones when their users log in."
    )
    jwt_secret: str | None = option(optional(SECRET), None, "Secret with which the tokens of the checker jwt are signed.")
    jwt_max_age: float | None = option(
        optional(duration(1)), None, "Longest time since a token was issued (iat); null takes tokens of any age."
    )
    http_url: str | None = option(optional(AUTH_URL), None, "URL that the checker http asks about each login.")
    http_insecure: bool = option(SWITCH, "false", "Whether http_url may be a plain http:// URL of another host.")
    dovecot: str | None = option(
        optional(SOCKET), None, "Socket of the Dovecot that the checker dovecot asks: unix:/PATH or tcp:HOST:PORT."
    )
    throttle_account: int = option(whole(1), "5", "Refused logins of one account after which it has to wait for the next one.")
    throttle_address: int = option(whole(1), "30", "The same for one address (IPv6: for one /64 network).")
    throttle_wait: float = option(
        duration(0, 3600), "2", "The first such wait; it doubles with each further refused login, and 0 is none at all."
    )
    throttle_longest: float = option(duration(0, 86400), "5m", "The longest such wait.")


@dataclass(frozen=True, kw_only=True)
class Pop3:
    """POP3 for mail programs."""

    listeners: tuple[Listener, ...] = option(
        ListOf(Entry(Listener, "listener")),
        (
            Listener(endpoint="tcp:2110:interface=127.0.0.1", tls="starttls"),
            Listener(endpoint="tcp:2995:interface=127.0.0.1", tls="implicit"),
        ),
        "Where mail programs connect.",
    )
    plaintext: str = option(
        choice("never", "loopback", "always"),
        "loopback",
        "Whose logins are taken without TLS: never, those of this machine (loopback), or always.",
    )
    login_timeout: float = option(duration(1, 3600), "60", "Time from connecting to a finished login.")
    autologout: float = option(duration(1, 86400), "10m", "Time without a command after which a session ends.")
    stall: float = option(
        duration(1, 86400), "60", "Time after which a client that takes no byte of a message it is sent is cut off."
    )
    strikes: int = option(whole(1, 100), "3", "Refused logins after which the connection is closed.")
    strike_delay: float = option(
        duration(0, 60), "1", "Shortest time that a refused login takes; it doubles with each further one."
    )
    expire_days: int | str | None = option(
        EXPIRE, None, "Days after which mail is deleted at the end of a session; null keeps it, never keeps it and says so."
    )
    login_delay: int | None = option(optional(seconds(1, 86400)), None, "Shortest time between two logins of one account.")
    implementation: str = option(
        matching("text", 'printable ASCII, up to 64 characters, or ""', r"[!-~](?:[ -~]{0,62}[!-~])?", empty=True),
        "sesmail",
        "Name that the server gives itself in CAPA.",
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many connections are served at a time."""

    connections: int = option(whole(1), "2000", "Most connections in all.")
    connections_per_address: int = option(whole(1), "50", "Most connections of one address (IPv6: of one /64 network).")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """One certificate with its chain, and its key, both PEM."""

    certificate: str = required(PATH, "File with the certificate and the chain after it.")
    key: str = required(PATH, "File with the private key.")


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Certificates."""

    certificates: tuple[Certificate, ...] = option(
        ListOf(Entry(Certificate, "certificate")),
        (),
        "Certificates; the first serves whoever asks for a name that none of the others has.",
    )
    reload_seconds: float = option(duration(1, 86400), "10", "How often the files are looked at; SIGHUP does so at once.")
    self_signed: bool = option(
        SWITCH,
        "false",
        "Whether a certificate is made in service.state_dir when none is given; true when storage.url is not set.",
    )


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service itself."""

    state_dir: str = option(
        PATH_OR_EMPTY, "", 'Folder of the service\'s own files; "" is $STATE_DIRECTORY, else ~/.local/state/sesmail.'
    )
    drain: float = option(duration(0, 3600), "30", "How long a stop waits for transfers to finish.")
    login_workers: int = option(whole(1, 256), "16", "Threads for logins and deletes, in each process.")
    workers: int = option(
        whole(1, 64), "1", "Processes that serve mail, one for each core that is to be used; a change needs a restart."
    )


@dataclass(frozen=True, kw_only=True)
class Log:
    """What is logged."""

    level: str = option(
        choice("debug", "info", "warning", "error"),
        "info",
        "What is logged: everything from debug, info, warning or error upwards.",
    )
    format: str = option(
        choice("text", "json"), "text", "How the standard output is written: text, or json, which is an object a line."
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """All sections. `source` is the file that was read, if any; `warnings` are for the log and the terminal."""

    storage: Storage = field(default_factory=Storage)
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    read_ahead: ReadAhead = field(default_factory=ReadAhead)
    sealed: Sealed = field(default_factory=Sealed)
    auth: Auth = field(default_factory=Auth)
    pop3: Pop3 = field(default_factory=Pop3)
    submission: Submission = field(default_factory=Submission)
    relay: Relay = field(default_factory=Relay)
    ses: Ses = field(default_factory=Ses)
    smarthost: Smarthost = field(default_factory=Smarthost)
    aliases: Aliases = field(default_factory=Aliases)
    incoming: Incoming = field(default_factory=Incoming)
    routing: Routing = field(default_factory=Routing)
    lmtp_out: LmtpOut = field(default_factory=LmtpOut)
    queue: Queue = field(default_factory=Queue)
    sns: Sns = field(default_factory=Sns)
    feedback: Feedback = field(default_factory=Feedback)
    lmtp: Lmtp = field(default_factory=Lmtp)
    deliver: Deliver = field(default_factory=Deliver)
    verdict: Verdict = field(default_factory=Verdict)
    page: Page = field(default_factory=Page)
    monitor: Monitor = field(default_factory=Monitor)
    limits: Limits = field(default_factory=Limits)
    tls: Tls = field(default_factory=Tls)
    service: Service = field(default_factory=Service)
    log: Log = field(default_factory=Log)
    source: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def listeners(self) -> dict[str, tuple[Listener, ...]]:
        """All ports and sockets, by their option."""
        return {
            "pop3.listeners": self.pop3.listeners,
            "submission.listeners": self.submission.listeners,
            "sns.listeners": self.sns.listeners,
            "lmtp.listeners": self.lmtp.listeners,
            "page.listeners": self.page.listeners,
            "monitor.listeners": self.monitor.listeners,
        }


def sections() -> dict[str, type[Any]]:
    """The sections of the file, in the order of the table."""
    return {one.name: cast(type[Any], one.default_factory) for one in fields(Config) if one.default_factory is not MISSING}
