#!/bin/sh
# ensure.sh NAME ...: sees to it that these are installed, each a command of the same name, or `venv`, Python's module,
# `swaks-tls`, the Perl module without which swaks has no TLS, `postfix-pcre`, Postfix's tables of that kind, `dovecot-lmtpd`,
# Dovecot's way to take mail, `iproute2`, the command ip, `ca-certificates`, whom to trust, `bash-completion`, its functions,
# `journal-remote`, what writes files of the journal, or `python3-systemd`, with which fail2ban reads them.
# On a Debian machine root gets what is missing; anybody else gets the one line to run, and a failure.
set -eu

is_there() {
    case $1 in
        venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null ;;
        bash-completion) [ -e /usr/share/bash-completion/bash_completion ] ;;
        journal-remote) [ -e /lib/systemd/systemd-journal-remote ] ;;
        python3-systemd) /usr/bin/python3 -c 'import systemd.journal' 2>/dev/null ;;
        ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
        iproute2) command -v ip >/dev/null ;;
        swaks-tls) perl -MNet::SSLeay -e 1 2>/dev/null ;;
        dovecot-lmtpd) [ -e /usr/lib/dovecot/lmtp ] ;;
        postfix-pcre) [ -e /usr/lib/postfix/postfix-pcre.so ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

package_of() {
    case $1 in
        venv) echo python3-venv ;;
        chromedriver) echo chromium-driver ;;
        dovecot) echo dovecot-core ;;
        fail2ban-regex) echo fail2ban ;;
        getmail) echo getmail6 ;;
        journal-remote) echo systemd-journal-remote ;;
        swaks-tls) echo libnet-ssleay-perl ;;
        systemd-analyze) echo systemd ;;
        *) echo "$1" ;;
    esac
}

missing=
for name in "$@"; do
    is_there "$name" || missing="$missing $(package_of "$name")"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing:$missing. Run this as root (or your system's like), then try again:" >&2
    echo "    apt-get update && $install" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
echo "Installing$missing" >&2
for attempt in 1 2 3; do
    if apt-get update -qq </dev/null >/dev/null && $install -qq </dev/null >/dev/null; then break; fi
    [ "$attempt" != 3 ] || exit 1
    sleep $((attempt * 5))
done
for name in "$@"; do
    is_there "$name" || { echo "$name is still missing after: $install" >&2; exit 1; }
done
