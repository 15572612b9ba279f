"""Every error the harness raises on purpose.

HarnessError
├── ConfigError        the YAML: one message per mistake, each with file:line:column
├── ModelNotFound      a model file is nowhere; lists where it was looked for
├── EngineError        an engine could not do what a case asked
├── RunError           the run itself: folder, lock, disk
├── ResultError        a result file that cannot be read
└── CoreError          the inference core's tree, see harness/core/errors.py

Messages: what happened, the likely cause, what to do next. The command line prints them without a traceback.
"""

from harness.core.errors import CoreError


class HarnessError(Exception):
    """Base of the harness's own errors. `CoreError` stands beside it; the command line catches both."""


class ConfigError(HarnessError):
    """A config that cannot be run; str() holds every mistake found."""


class ModelNotFound(HarnessError):  # noqa: N818  reads as what happened
    """A model file that is in none of the places searched."""


class EngineError(HarnessError):
    """An engine that failed a case."""


class RunError(HarnessError):
    """A run that cannot start or go on."""


class ResultError(HarnessError):
    """A result that cannot be read or does not fit the schema."""


EXPECTED = (HarnessError, CoreError)
"""What the command line turns into a message and an exit code."""
