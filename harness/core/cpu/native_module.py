"""The compiled part, imported when first needed, so that planning works where it was never built."""

from functools import cache
from importlib import import_module
from typing import Any

from harness.core.errors import DeviceError


@cache
def native() -> Any:
    """The module `_native`. Errors: DeviceError where the installation lacks it."""
    try:
        return import_module("harness.core.cpu._native")
    except ImportError as error:
        raise DeviceError(
            f"the native part of the CPU backend cannot be imported ({error}); it is built when harness is installed: "
            "pip install --editable . in the source tree, with g++ and the Python headers present"
        ) from error
