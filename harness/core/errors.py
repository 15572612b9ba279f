"""The core's own error tree; `harness.errors` adopts it.

CoreError
├── GgufError           the file is not what it claims to be
├── UnsupportedError    a type or an architecture this core does not know
├── PlanError           the options do not fit the model or the devices
├── LoadError           bytes did not arrive where the plan wanted them
├── DeviceError         a device is absent, too old or failed
│   └── OutOfMemoryError
└── SessionError        a call the session cannot answer (context full, bad token)

A message says what happened, the likely cause, and what to do next.
"""


class CoreError(Exception):
    """Base of everything the core raises on purpose."""


class GgufError(CoreError):
    """A GGUF file that is truncated, contradictory or beyond the reader's limits."""


class UnsupportedError(CoreError):
    """A tensor type, architecture or feature without an implementation."""


class PlanError(CoreError):
    """Options that cannot be satisfied for this model on these devices."""


class LoadError(CoreError):
    """Weights that could not be read or placed."""


class DeviceError(CoreError):
    """A device that is missing, unusable or failed."""


class OutOfMemoryError(DeviceError):
    """A device or the host has too little memory."""


class SessionError(CoreError):
    """A request the running session cannot serve."""
