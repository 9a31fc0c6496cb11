# The shipped configuration, edited for a directory in the place of a bucket, and a user. The tests source this.

config=/etc/sesmail/sesmail.yaml
user=tom@example.com
password='a password, with spaces'
mailbox=/var/lib/sesmail/mail/mailboxes/example.com/tom

say() { echo "== $*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

trap '[ $? = 0 ] || journalctl --no-pager --lines=50 >&2' EXIT

# The value of an option that the shipped file shows with its default, after a #.
set_option() {
    grep -q "^  #$1: " $config || fail "the shipped configuration has no $1"
    sed -i "0,/^  #$1: .*/s||  $1: $2|" $config
}

# listeners SECTION LISTENER ...: takes the # before the option away, and gives it these.
set_listeners() {
    section=$1 lines=
    shift
    for listener in "$@"; do lines="$lines\\n    - {$listener}"; done
    sed -i "/^$section:/,/^[a-z]/s|^  #listeners:.*|  listeners:$lines|" $config
}

use_directory() {
    set_option url file:///var/lib/sesmail/mail
    set_option domains '[example.com]'
    set_option default_domain example.com
    set_option table sqlite
    set_option self_signed true
    set_option local_domains '[example.com]'
    set_option courier outbox
    set_option check_domains false
    set_listeners pop3 'endpoint: "tcp:995", tls: implicit' 'endpoint: "tcp:110", tls: starttls'
    set_listeners submission 'endpoint: "tcp:465", tls: implicit' 'endpoint: "tcp:587", tls: starttls'
    set_listeners page 'endpoint: "tcp:8080:interface=127.0.0.1", tls: none'
    runuser -u sesmail -- sesmail check-config
    install -d -o sesmail -g sesmail -m 0700 /var/lib/sesmail/mail
    echo "$password" | runuser -u sesmail -- sesmail passwd set $user
}

send() {
    swaks --silent 2 --server 127.0.0.1 --protocol SSMTPA --auth-user $user --auth-password "$password" \
        --from $user --to "$1" --h-Subject "$2" --body "Sent by swaks."
}

fetch() {
    curl --silent --show-error --fail --cacert /var/lib/sesmail/self-signed.crt --user "$user:$password" "pop3s://localhost/$1"
}
