#!/bin/sh
# Make .venv and install the hash-pinned packages into it.  Usage: requirements/install.sh runtime|dev
# PYTHON names the interpreter to use; without it the first Python >= 3.11 on the PATH is taken.
set -eu
cd "$(dirname "$0")/.."
lock="requirements/$1.lock"
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    echo "Strata needs Python 3.11 or newer, and none was found on the PATH." >&2
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13)" >&2
    echo "or name yours: make PYTHON=/path/to/python3.12 ..." >&2
    return 1
}

if ! is_new_enough .venv/bin/python; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version)"
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        echo "$python lacks the module venv or ensurepip, which make a virtual environment." >&2
        echo "Install it (Debian, Ubuntu: apt install python3-venv), then run make again." >&2
        exit 1
    fi
    "$python" -m venv --clear .venv
fi

# uv installs many times faster than pip. Where it has no build for a platform, or cannot reach the packages that pip
# is configured for, pip does the same work.
pip() {
    .venv/bin/python -m pip --disable-pip-version-check install --require-hashes --no-deps "$@"
}

echo "Installing $(grep -c '^[a-z].*==' "$lock") packages from $lock"
if ! .venv/bin/uv --version >/dev/null 2>&1; then
    pip --quiet --requirement requirements/bootstrap.lock || true
fi
if ! .venv/bin/uv pip install --quiet --system-certs --python .venv/bin/python --require-hashes --requirement "$lock"; then
    echo "uv could not do it; trying pip, which takes longer"
    pip --requirement "$lock"
fi
touch ".venv/installed-$1"
