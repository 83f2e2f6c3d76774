#!/bin/sh
# Pin the newest versions that pyproject.toml allows, with hashes and without any registry host.
# Development gets the same runtime packages, and more.
set -eu
cd "$(dirname "$0")/.."

pin() {
    target="requirements/$1.lock"
    shift
    .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-header --upgrade --output-file "$target" "$@"
}

pin runtime pyproject.toml
pin dev --extra dev --constraint requirements/runtime.lock pyproject.toml
pin bootstrap --no-annotate requirements/bootstrap.in
if grep -n -E '://|--(index|extra-index|find-links)' requirements/*.lock; then
    echo "A lock file names a host: take it out before committing." >&2
    exit 1
fi
