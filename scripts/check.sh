#!/usr/bin/env bash
# Lint, formatting and types, for Python and for the native sources. Warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
find harness -name '*.cpp' -o -name '*.h' | xargs .venv/bin/clang-format --dry-run --Werror
