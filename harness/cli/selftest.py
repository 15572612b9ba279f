"""`harness selftest`: whether the CUDA kernels are right on this machine's card, and what they take there."""

import platform
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import command_app
from harness.cli.failure import FAILED
from harness.cli.talk import put, say

if TYPE_CHECKING:
    from harness.core.cuda.api import Device
    from harness.core.cuda.selftest import Check

app = command_app()

KINDS = ("cuda", "cuda-emulated")
Name = Annotated[str, typer.Option("--device", metavar="DEVICE", help="cuda:N, or cuda-emulated:N without a card.")]


@app.command()
def selftest(device: Name = "cuda:0") -> None:
    """Check the CUDA kernels on a card, and time them.

    Exits with 3 if something is wrong, after saying what to report.
    """
    from harness.core.cuda.selftest import open_device, selftest  # noqa: PLC0415
    from harness.core.plan.layout import kind_of  # noqa: PLC0415

    if kind_of(device) not in KINDS:
        raise typer.BadParameter(f"{device} is no CUDA device; use cuda:0, or cuda-emulated:0 where there is no card")
    opened = open_device(device)
    say(f"{device}: {opened.properties.name}; a line per check, about a minute in all")
    failed = []
    for check in selftest(opened):
        put(str(check))
        failed += [] if check.is_right else [check]
    if failed:
        _say_what_to_report(opened, failed)
        raise typer.Exit(FAILED)
    _time(opened)


def _time(device: "Device") -> None:
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415

    if not isinstance(device, CudaDevice):
        say("the emulator is not timed: its speed means nothing")
        return
    from harness.core.cuda.timing import time_operations  # noqa: PLC0415

    put(f"{'one layer, random weights':<47}{'took':>7}{'bound':>13}{'share':>10}  kernels")
    for timed in time_operations(device):
        put(str(timed))


def _say_what_to_report(device: "Device", failed: "list[Check]") -> None:
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415

    found = device.properties
    say(f"\n{len(failed)} checks failed. Speeds of this device are worth nothing until that is understood.")
    say("Please report these lines:")
    say(f"  {found.name}, compute capability {found.compute_capability / 10}, {found.memory_bytes >> 20} MiB")
    say(f"  {device.versions() if isinstance(device, CudaDevice) else 'emulated'}, {platform.platform()}")
    for check in failed:
        say(f"  {check}")
