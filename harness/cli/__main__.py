"""`python -m harness.cli` is the `harness` command, for where scripts are not installed."""

from harness.cli.app import main

main()
