"""The kernels this machine can run."""

from typing import Any

import pytest

from harness.core.cpu.native_module import native

ALL = ("scalar", "avx2", "avx512")


@pytest.fixture(params=ALL)
def kernels(request: pytest.FixtureRequest) -> Any:
    """One instruction set after another."""
    if request.param not in native().kernel_names():
        pytest.skip(f"this processor cannot run {request.param} kernels")
    return request.param
