#!/bin/sh
# install.sh ENVIRONMENT PIP-ARGUMENT ...: makes the virtual environment if it is not there and installs into it, with
# patience, for networks fail. What is never imported need not be compiled.
set -eu

environment=$1
shift
[ -x "$environment/bin/python" ] || "${PYTHON:-python3}" -m venv "$environment"
echo "Installing into $environment" >&2
for attempt in 1 2 3; do
    if "$environment/bin/python" -m pip install -qq --no-compile --disable-pip-version-check --no-input --retries 5 "$@" </dev/null; then
        exit 0
    fi
    sleep $((attempt * 5))
done
exit 1
