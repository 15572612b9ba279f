"""Plans and programs of cases that load no weights: a real file's header is read, a made one's is thrown away."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.gguf import open_gguf
from harness.core.models import Model, read_model
from harness.core.plan import Plan, make_plan
from harness.core.program.build import build_program
from harness.core.program.op import Program
from harness.core.synth import derive_mixture
from harness.core.synth.hollow import write_hollow_preset
from harness.engines.core import options_from_axes
from harness.engines.stream import context_tokens
from harness.records.case import Case, ModelRef


@dataclass(frozen=True)
class Planned:
    """What the core would do for one case."""

    plan: Plan
    program: Program
    file_bytes: int


class Headers:
    """Opens each model once for a whole `harness plan`."""

    def __init__(self) -> None:
        self._models: dict[ModelRef, Model] = {}

    def planned(self, case: Case) -> Planned:
        """Errors: CoreError for a file or options the core refuses."""
        if case.model not in self._models:
            with _header_file(case.model) as path, open_gguf(path) as file:
                self._models[case.model] = read_model(file)
        model = self._models[case.model]
        axes = replace(case.axes, layers=None) if case.model.stand_in else case.axes  # a made file is cut already
        plan = make_plan(model, options_from_axes(axes, context_tokens(case.test)))
        return Planned(plan, build_program(model, plan), model.size_bytes)


@contextmanager
def _header_file(model: ModelRef) -> Iterator[Path]:
    if model.path is not None:
        yield Path(model.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "header.gguf"
        if model.stand_in is not None:
            made = model.stand_in
            write_hollow_preset(made.preset, path, layers=made.layers, vocab=made.vocab, n_expert=made.n_expert)
        elif model.mixture_of is not None:
            derive_mixture(Path(model.mixture_of), path)  # a second's work, and its shapes are the dense file's
        yield path
