"""A checkout of hybrid-cloud-email as its README has people make it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sesmail.auth.schemes import hashed
from tests.servers.certificates import Authority

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TABLE = "/^(adam|jack)(\\+[^@]*)?@(example\\.com|my\\.fqdn)$/   ${1}\n/^[^@]*@example\\.com$/   ryan\n"
PASSWORDS = {"adam": b"adam's own", "jack": b"jack's own", "ryan": b"ryan's own"}


def checkout(folder: Path, given: Mapping[str, str]) -> Path:
    """A folder with an ``.env`` of these variables, the four secrets and a certificate for localhost."""
    (folder / "secrets").mkdir(parents=True)
    issued = Authority(folder).issue("localhost")
    variables = {"SSL_CERT": str(issued.certificate), "SSL_KEY": str(issued.key), "AWS_REGION": "us-east-2", **given}
    (folder / ".env").write_text("# comment\n\n" + "".join(f"{name}={value}\n" for name, value in variables.items()))
    users = "".join(f"{name}:{hashed(password)}::\n" for name, password in PASSWORDS.items())
    secrets = {
        "dovecot_passwd": users,
        "aws_iam_credentials": f"{KEY_ID}:{SECRET}\n",
        "postfix_lookup_table": TABLE,
        "sns_basic_auth_credentials": "sns:secret\n",
    }
    for name, content in secrets.items():
        (folder / "secrets" / name).write_text(content)
        (folder / "secrets" / name).chmod(0o600)
    return folder
