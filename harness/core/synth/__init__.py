"""Made models: random ones in real shapes and formats, and a mixture of experts derived from a dense model."""

from harness.core.synth.mixture import derive_mixture
from harness.core.synth.presets import PRESETS
from harness.core.synth.write import write_preset, write_tiny

__all__ = ["PRESETS", "derive_mixture", "write_preset", "write_tiny"]
