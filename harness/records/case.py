"""What is to be measured: one model, one point of the matrix, one test. The arrow from config to runner."""

from dataclasses import dataclass
from typing import Literal

from harness.records.axes import Axes

TestKind = Literal["sweep", "pp", "tg", "pg", "load"]


@dataclass(frozen=True)
class StandIn:
    """A synthetic file with the real layer shapes: `preset` of `harness model synth`, cut to `layers` and `vocab`.

    `n_expert` replaces the number of experts; the shapes of each stay the preset's.
    """

    preset: str
    layers: int | None = None
    vocab: int | None = None
    seed: int = 0
    n_expert: int | None = None


@dataclass(frozen=True)
class ModelRef:
    """A model by its name in the config. `path` is the file to open; the rest says how it is made if it must be.

    `mixture_of` is the dense GGUF from which `core.synth` derives a mixture with trained weights. The `path` of a file
    that is yet to be made is None until the runner has prepared it.
    """

    name: str
    path: str | None = None
    stand_in: StandIn | None = None
    mixture_of: str | None = None

    @property
    def label(self) -> str:
        """What a row calls the model; a stand-in says so, always."""
        if self.stand_in is None:
            return self.name
        parts = [self.stand_in.preset]
        if self.stand_in.layers is not None:
            parts.append(f"{self.stand_in.layers} layers")
        if self.stand_in.vocab is not None:
            parts.append(f"vocabulary {self.stand_in.vocab}")
        if self.stand_in.n_expert is not None:
            parts.append(f"{self.stand_in.n_expert} experts")
        return f"{self.name} (stand-in: {', '.join(parts)}, random weights and routing)"


@dataclass(frozen=True)
class Test:
    """One test in llama-bench's terms, in tokens.

    pp: n_prompt at each depth. tg: n_gen at each depth. pg: both timed together. sweep: for every depth
    first tg, then pp of n_prompt, as llama-sweep-bench does. load: load time only.
    """

    __test__ = False  # not a pytest class

    kind: TestKind
    n_prompt: int = 0
    n_gen: int = 0
    depths: tuple[int, ...] = (0,)

    @property
    def label(self) -> str:
        """llama-bench's name of the test: pp512, tg128, pp512+tg128, with ` @ d512`."""
        base = {
            "pp": f"pp{self.n_prompt}",
            "tg": f"tg{self.n_gen}",
            "pg": f"pp{self.n_prompt}+tg{self.n_gen}",
            "sweep": f"sweep pp{self.n_prompt} tg{self.n_gen}",
            "load": "load",
        }[self.kind]
        if self.kind == "sweep":
            return f"{base} to {self.depths[-1]}"
        return base if self.depths == (0,) else f"{base} @ d{','.join(map(str, self.depths))}"


@dataclass(frozen=True)
class Sampling:
    """When a measurement has enough samples: relative half-width `precision` of the mean's interval, or a bound.

    `processes`: how many fresh processes each side of a comparison has, one after another, which share the samples and
    the time. A case without an opponent has one.
    """

    precision: float = 0.005
    time_budget_ns: int = 600_000_000_000
    min_samples: int = 3
    max_samples: int = 50
    deadline_ns: int = 1_800_000_000_000
    processes: int = 4


@dataclass(frozen=True)
class Case:
    """One process's work. `comparison` is shared by cases that differ only in an axis under comparison."""

    case_id: str
    config: str
    model: ModelRef
    axes: Axes
    test: Test
    sampling: Sampling
    comparison: str = ""
    fake: str = ""  # script for the fake engine, JSON; empty elsewhere
    peer_binary: str = ""  # engine llama_bench: path of the executable
    build: str = ""  # the commit of another build of the harness that measures it; empty: this one


@dataclass(frozen=True)
class Note:
    """Something a person should know about a config as expanded: what was left out, which device was taken and why."""

    where: str
    text: str
