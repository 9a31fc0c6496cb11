"""aiosmtpd as a submission server that throws away what it accepts: ``aiosmtpd_server.py PORT CERTIFICATE KEY``."""

from __future__ import annotations

import asyncio
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class _Forgetful:
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "250 2.0.0 Ok"


def _anybody(*_: object) -> AuthResult:
    return AuthResult(success=True)


async def _serve(port: int, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def protocol() -> SMTP:
        return SMTP(
            _Forgetful(),
            hostname="aiosmtpd.example",
            data_size_limit=30_000_000,
            authenticator=_anybody,
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, ssl=context, backlog=500)
    await server.serve_forever()


asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
