"""Dovecot's configuration for the tests, in the words of 2.3 and of 2.4, which are not the same."""

from __future__ import annotations

from dataclasses import dataclass

_COMMON = """\
protocols = {protocols}
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
default_internal_user = {user}
default_login_user = {user}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
ssl = no
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  chroot =
  user = {user}
  unix_listener auth-client {{
    mode = 0666
  }}
  inet_listener login {{
    {listen} = 127.0.0.1
    port = {port}
  }}
}}
"""
_RECEIVING = """\
first_valid_uid = 1
first_valid_gid = 1
mail_access_groups =
recipient_delimiter = +
postmaster_address = postmaster@example.com
service lmtp {{
  chroot =
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    {listen} = 127.0.0.1
    port = {lmtp_port}
  }}
}}
"""


@dataclass(frozen=True)
class _Words:
    """What one release calls it. The second database fails: it would be a file in what is no folder."""

    listen: str
    passwords: str
    failing: str
    mail: str


_WORDS_2_3 = _Words(
    "address",
    """\
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
""",
    """\
passdb {{
  driver = passwd-file
  args = {directory}/users/%u
}}
""",
    """\
mail_location = maildir:{directory}/mail/%n
userdb {{
  driver = passwd-file
  args = username_format=%n {directory}/users
  override_fields = uid={owner} gid={group} home={directory}/mail/%n
}}
""",
)
_WORDS_2_4 = _Words(
    "listen",
    """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
passdb users {{
  driver = passwd-file
  passwd_file_path = {directory}/users
}}
""",
    """\
passdb failing {{
  driver = passwd-file
  passwd_file_path = {directory}/users/%{{user}}
}}
""",
    """\
mail_driver = maildir
mail_path = {directory}/mail/%{{user | username}}
userdb users {{
  driver = passwd-file
  auth_username_format = %{{user | username}}
  passwd_file_path = {directory}/users
  fields {{
    uid = {owner}
    gid = {group}
    home = {directory}/mail/%{{user | username}}
  }}
}}
""",
)


def written(version: str, *, failing: bool, receiving: bool, **given: object) -> str:
    """For the release that says to have this `version`. Raises KeyError unless all is given."""
    words = _WORDS_2_3 if version.startswith("2.3.") else _WORDS_2_4
    # First of all 2.4 wants to know for which release it is.
    parts = [words.passwords, _COMMON]
    if failing:
        parts.append(words.failing)
    if receiving:
        parts += [_RECEIVING, words.mail]
    protocols = "lmtp" if receiving else ""
    return "".join(parts).format(listen=words.listen, protocols=protocols, **given)
