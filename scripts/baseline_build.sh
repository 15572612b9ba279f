#!/usr/bin/env bash
# The build of an earlier commit, in a worktree of its own below .builds, for suspects to take turns with:
# `harness gate --baseline-build scripts/baseline_build.sh`. Prints the Python that has it. The newest three are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git rev-parse --verify --quiet --end-of-options "${1:?a commit}^{commit}") || {
    echo "baseline_build: $1 is no commit of this checkout; it may need its whole history (git fetch --unshallow)" >&2
    exit 1
}
folder=$PWD/.builds/$commit
if [ ! -e "$folder/.venv/.run" ]; then
    git worktree prune
    [ -d "$folder" ] || git worktree add --quiet --detach "$folder" "$commit" >&2
    "$folder/scripts/setup.sh" run >&2
fi
touch "$folder"
find .builds -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2- |
    while read -r old; do git worktree remove --force "$old" >&2; done
echo "$folder/.venv/bin/python"
