#!/bin/sh
# image.sh FILE [BASE]: builds the image and writes it into FILE, from which `docker load` and `podman load` take it.
#
# BASE is an image of a registry, such as docker.io/library/debian:trixie-slim. Without it mmdebstrap makes a base of
# Debian's packages, of the release that SUITE names. All is kept in build/container, nothing in the machine's own storage.
set -eu
cd "$(dirname "$0")/../.."

file=$1
base=${2:-}
suite=${SUITE:-trixie}
kept=build/container
BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
export BUILDAH_ISOLATION

storage() {
    buildah --root "$PWD/$kept/storage" --runroot "$PWD/$kept/run" --storage-driver "${STORAGE_DRIVER:-vfs}" "$@"
}

mkdir -p "$kept" "$(dirname "$file")"
if [ -z "$base" ]; then
    base=localhost/debian:$suite
    # Security fixes of the last week are in it.
    if ! storage inspect --type image "$base" >/dev/null 2>&1 || [ -z "$(find "$kept/$suite.tar" -mtime -7 2>/dev/null)" ]; then
        # As in Debian's own images: nothing to read but licences, and no waiting for a disk that is not there for long.
        mmdebstrap --quiet --variant=apt --include=ca-certificates --dpkgopt=force-unsafe-io \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            "$suite" "$kept/$suite.tar"
        container=$(storage from scratch)
        storage add --quiet "$container" "$kept/$suite.tar" / >/dev/null
        storage commit --quiet --rm "$container" "$base" >/dev/null
    fi
fi

# Only the format of Docker has a health check.
build() {
    storage build --quiet --format docker --layers=false --build-arg "BASE=$base" "$@" >/dev/null
}

# What compose.yaml wants beside the gateway.
build --tag localhost/sesmail-dovecot --file etc/container/dovecot/Containerfile etc/container/dovecot &
build --tag localhost/sesmail --ignorefile etc/container/Containerfile.dockerignore --file etc/container/Containerfile . || { wait; exit 1; }
wait $!
storage rmi --prune >/dev/null 2>&1 || true

rm -f "$file"
storage push --quiet localhost/sesmail "docker-archive:$file:localhost/sesmail:latest"
