"""`harness model`: look into a model file, make one, or ask one for logits."""

import re
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.arguments import command_app
from harness.cli.talk import put, say
from harness.config.units import MAX_TOKENS
from harness.errors import ConfigError

app = command_app(help="Inspect, make or ask model files.", no_args_is_help=True)

ModelFile = Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file; of a split one, the first part.")]
OutFile = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")]


@app.command()
def info(file: ModelFile) -> None:
    """Print what a GGUF file holds."""
    from harness.cli.model_info import format_info  # noqa: PLC0415
    from harness.core.models.describe import describe  # noqa: PLC0415

    put(format_info(describe(file)))


@app.command()
def synth(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="Shapes and formats of a known model.")],
    out: OutFile,
    *,
    layers: Annotated[int | None, typer.Option("--layers", metavar="N", min=1, help="Only so many layers.")] = None,
    vocab: Annotated[int | None, typer.Option("--vocab", metavar="N", min=1, help="Size of the vocabulary.")] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Seed of the weights.")] = 0,
) -> None:
    """Write a model with a real one's shapes, but random weights.

    With fewer layers the vocabulary shrinks alike, unless --vocab says otherwise.
    """
    from harness.config.stand_in import PRESETS, cut  # noqa: PLC0415
    from harness.core.synth import write_preset  # noqa: PLC0415
    from harness.records.case import StandIn  # noqa: PLC0415

    if preset not in PRESETS:
        raise ConfigError(f"{preset}: no preset; there are {', '.join(PRESETS)}")
    if layers is not None and layers > PRESETS[preset].n_layers:
        raise ConfigError(f"--layers {layers} is more than {preset} has, which is {PRESETS[preset].n_layers}")
    made = cut(StandIn(preset, layers, vocab, seed), None)
    write_preset(made.preset, out, layers=made.layers, vocab=made.vocab, seed=made.seed)
    put(str(out))


@app.command()
def derive(file: ModelFile, out: OutFile) -> None:
    """Write a mixture of experts derived from a dense model.

    It has the trained weights and answers as that model does.
    """
    from harness.core.synth import derive_mixture  # noqa: PLC0415

    derive_mixture(file, out)
    put(str(out))


@app.command()
def logits(
    file: ModelFile,
    *,
    tokens: Annotated[str, typer.Option("--tokens", metavar="1,2,3|@FILE", help="Token ids, or a file of them.")],
    out: Annotated[Path, typer.Option("--out", metavar="X.npy", help="The array to write.")],
    device: Annotated[str, typer.Option("--device", metavar="D", help="auto, cpu:0, cuda:0, reference, …")] = "auto",
    threads: Annotated[int, typer.Option("--threads", metavar="N", min=0, help="0 for every usable core.")] = 0,
    merge: Annotated[
        str, typer.Option("--merge-up-gate", metavar="on|off", help="Merge up and gate of the experts at load.")
    ] = "off",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="AXIS=VALUE", help="Any axis of a config; repeatable.")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="Token by token instead of in ubatches.")] = False,
) -> None:
    """Write the logits of every position.

    A float32 array [tokens, vocabulary] in NumPy's format.
    """
    from harness.config.axis_values import read_axes  # noqa: PLC0415

    ids = _token_ids(tokens)
    chosen = [f"device={device}", f"threads={threads}", f"merge_up_gate={merge}", *(settings or ())]
    asked = read_axes(chosen)
    import numpy as np  # noqa: PLC0415

    from harness.cli.device import with_device  # noqa: PLC0415
    from harness.core.session import Session  # noqa: PLC0415
    from harness.engines.core import options_from_axes  # noqa: PLC0415

    axes = with_device(asked)
    with Session.open(file, options_from_axes(axes, len(ids))) as session:
        found = session.logits(ids, step=step)
    np.save(out, found)
    say(f"{found.shape[0]} positions, vocabulary {found.shape[1]}, on {axes.device}")
    put(str(out))


def _token_ids(text: str) -> list[int]:
    """The ids in `1,2,3`, or in the file after @. Errors: ConfigError."""
    where = "--tokens"
    if text.startswith("@"):
        where = text[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--tokens: {where} cannot be read: {error}") from None
    words = [word for word in re.split(r"[\s,]+", text) if word]
    wrong = next((word for word in words if not re.fullmatch(r"[0-9]{1,10}", word)), None)
    if wrong is not None or not 0 < len(words) <= MAX_TOKENS:
        raise ConfigError(f"{where}: expected token ids such as 1,2,3, found {wrong or 'none'}")
    return [int(word) for word in words]
