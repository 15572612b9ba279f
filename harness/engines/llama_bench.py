"""A llama-bench binary of either project as an engine. One process per sample; the time is the one the binary reports.

It is asked by a list of arguments, without a shell, and answers with JSON or with its Markdown table.
"""

import json
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.gguf.file import open_gguf
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case
from harness.records.timing import LoadReport, Timing

STDERR_SHOWN = 400
BUILD = ("build_commit", "build_number")


@dataclass(frozen=True)
class Outcome:
    """What one run of the binary says: `ns` of its single repetition and the fields it reports."""

    ns: int
    fields: dict[str, Any]


class LlamaBenchEngine:
    """`engine: llama_bench`; the config gives the binary's path."""

    def load(self, case: Case) -> LoadReport:
        """Ask the binary for its options and for one short test: that proves it can run this case at all."""
        if not case.peer_binary or not case.model.path:
            raise EngineError("engine llama_bench needs the path of a llama-bench binary and a model file.")
        self._binary, self._model = case.peer_binary, case.model.path
        self._help = _run([self._binary, "--help"]).stdout
        self._arguments = arguments(case.axes, self._help)
        start = time.perf_counter_ns()
        fields = self._bench(n_prompt=1, n_gen=0, depth=0).fields
        took_ns = time.perf_counter_ns() - start
        metadata = open_gguf(case.model.path).metadata
        arch = str(metadata.get("general.architecture", ""))
        return LoadReport(
            phase_ns={"process": took_ns},
            model_type=str(fields.get("model_type", "")),
            model_size=int(fields.get("model_size", 0)),
            model_n_params=int(fields.get("model_n_params", 0)),
            n_layers=int(metadata.get(f"{arch}.block_count", 0)),
            n_vocab=len(metadata.get("tokenizer.ggml.tokens", ())),
            plan={"arguments": list(self._arguments), "notes": ["every sample is a process that loads the model anew"]},
            devices=(str(fields.get("backends", "")) or "as the binary chooses",),
            engine_version=" ".join([project(self._help), *(str(fields.get(key, "?")) for key in BUILD)]),
        )

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        """The binary chooses tokens of its own; only their number counts."""
        return Timing(len(tokens), self._bench(n_prompt=len(tokens), n_gen=0, depth=depth).ns)

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        """Times per token are not reported by any llama-bench."""
        return Timing(len(tokens), self._bench(n_prompt=0, n_gen=len(tokens), depth=depth).ns)

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:  # noqa: ARG002  the protocol's signature
        """Errors: always EngineError."""
        raise EngineError("llama-bench shows no logits, so its results cannot be compared.")

    def expert_counts(self) -> tuple[tuple[int, ...], ...]:
        """Not reported."""
        return ()

    def close(self) -> None:
        """No process outlives its sample."""

    def _bench(self, *, n_prompt: int, n_gen: int, depth: int) -> Outcome:
        test = test_arguments(n_prompt, n_gen, depth, self._help)
        command = [self._binary, "-m", self._model, *self._arguments, *test, "-r", "1", "-o", "json"]
        done = _run(command)
        return parse(done.stdout, n_prompt, n_gen)


def project(help_text: str) -> str:
    """Which project's llama-bench has this help text."""
    return "ik_llama.cpp" if "-muge" in help_text or "-fmoe" in help_text else "llama.cpp"


def arguments(axes: Axes, help_text: str) -> tuple[str, ...]:
    """The options for `axes`. Errors: EngineError if an axis needs an option that this binary lacks."""
    if axes.expert_copy != "off":
        raise EngineError(
            f"llama-bench copies experts from its own size on; the case wants expert_copy {axes.expert_copy}."
        )
    wanted = [
        ("-b", axes.batch, True),
        ("-ub", axes.ubatch, True),
        ("-ctk", axes.type_k, True),
        ("-ctv", axes.type_v, True),
        ("-fa", int(axes.flash_attn), True),
        ("-mmp", int(axes.mmap), not axes.mmap),
        ("-sm", axes.split_mode, axes.split_mode != "none"),
        ("-mg", axes.main_gpu, axes.main_gpu != 0),
        ("-ts", "/".join(f"{share:g}" for share in axes.tensor_split), bool(axes.tensor_split)),
        ("-t", axes.threads, axes.threads > 0),
        ("-ngl", 0 if axes.device.startswith("cpu") else 999, True),
        ("-ot", ";".join(axes.override_tensor), bool(axes.override_tensor)),
        ("-ncmoe", axes.n_cpu_moe, axes.n_cpu_moe > 0),
        ("-rtr", 1, axes.repack and project(help_text) == "ik_llama.cpp"),
        ("-muge", 1, axes.merge_up_gate),
        ("-mqkv", 1, axes.merge_qkv),
        ("-fmoe", 0, not axes.fused_moe),
    ]
    given = [(flag, str(value)) for flag, value, needed in wanted if needed]
    for flag, value in given:
        if not offers(help_text, flag):
            raise EngineError(f"this {project(help_text)} llama-bench has no {flag}; the case wants {flag} {value}.")
    return tuple(part for pair in given for part in pair)


def test_arguments(n_prompt: int, n_gen: int, depth: int, help_text: str) -> tuple[str, ...]:
    """One test. ik's binary has no -d, but can time generation after an untimed prompt."""
    plain = ("-p", str(n_prompt), "-n", str(n_gen))
    if depth == 0:
        return plain
    if offers(help_text, "-d"):
        return (*plain, "-d", str(depth))
    if offers(help_text, "-gp") and n_gen:
        return ("-p", "0", "-n", "0", "-gp", f"{depth},{n_gen}")
    raise EngineError(f"this {project(help_text)} llama-bench cannot process a prompt at depth {depth}.")


test_arguments.__test__ = False  # type: ignore[attr-defined]  # not a pytest function


def offers(help_text: str, flag: str) -> bool:
    """Whether the help text lists `flag`."""
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", help_text) is not None


def parse(text: str, n_prompt: int, n_gen: int) -> Outcome:
    """The single result in a binary's output. Errors: EngineError if there is none that can be understood."""
    try:
        rows = json.loads(text[text.index("[") :])
        row = rows[-1]
        return Outcome(int(row["samples_ns"][0]), row)
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    match = re.search(r"\|\s*([\d.]+)\s*±\s*[\d.]+\s*\|\s*$", text, re.MULTILINE)
    if match is None or float(match[1]) <= 0:
        raise EngineError(f"llama-bench printed neither JSON nor a table: {text[:STDERR_SHOWN]!r}")
    return Outcome(round((n_prompt + n_gen) / float(match[1]) * 1e9), {})


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise EngineError(
            f"{command[0]} cannot be started: {error.strerror}. Is the path in the config right?"
        ) from error
    if done.returncode != 0 and "--help" not in command:
        raise EngineError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-STDERR_SHOWN:]}")
    return done
