#!/usr/bin/env bash
# For whoever has a card for a moment: are the kernels right on it, and what does the merge bring? Under eight minutes.
# Usage: scripts/gpu_check.sh [cuda:0]. What stands on the terminal and the report it names are what to send along.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda:0}
harness=.venv/bin/harness
[ -x "$harness" ] || harness=harness

timeout 240 "$harness" selftest --device "$device"
timeout 230 "$harness" run configs/gptoss.yaml --set "matrix.device=$device" --set "time_budget=1 min" --set layers=6 \
    --set "tests=[{pp: 512}, {tg: 64}]"
