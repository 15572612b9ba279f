"""A config to cases on this machine: devices resolved, models found, lists multiplied out, time shared among the cases.

The same config on a machine with the same devices and files has the same cases in the same order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.config.conditions import corner
from harness.config.devices import Resolver, resolve_auto, settle_devices
from harness.config.identity import case_id, compared_axis, with_comparison
from harness.config.models import Finder, FoundModel, find_models
from harness.config.peers import check_peers, peer_binary
from harness.config.points import MAX_CASES, Corner, count, extra_points, matches, points
from harness.config.problems import Mistakes, Problem
from harness.config.search import find_model
from harness.config.select import select
from harness.config.types import Config, Expansion, Point
from harness.errors import ModelNotFound
from harness.records.axes import Axes
from harness.records.case import Case, Note, Test


@dataclass(frozen=True)
class _Spread:
    """One model at one corner: the whole matrix there, or one `include` entry."""

    model: FoundModel
    corner: Corner
    extra: Point | None = None

    def size(self) -> int:
        return count(self.corner.settings, self.extra)

    def axes(self, config: Config) -> Iterator[Axes]:
        return points(config, self.corner) if self.extra is None else extra_points(self.extra, self.corner)


def expand(
    config: Config, only: Sequence[str] = (), *, resolve: Resolver = resolve_auto, find: Finder = find_model
) -> Expansion:
    """The cases of `config` that one of the globs in `only` matches (all, if there are none), and notes for people.

    Errors: ConfigError for a matrix without cases or with too many, ModelNotFound for a file that a case needs.
    """
    config, device_notes = settle_devices(config, resolve)
    found = find_models(config, find)
    spreads, when_notes = _spreads(config, found)
    _check_size(config, sum(spread.size() for spread in spreads))
    cases = select(_all_cases(config, spreads), only)
    _check_found(found, cases)
    check_peers(config, cases)
    axis = compared_axis(cases, config.compare)
    names = {case.model.name for case in cases}
    model_notes = [model.note for model in found if model.note and model.entry.name in names]
    notes = (*device_notes, *model_notes, *when_notes, *_cut_notes(cases), *_compare_notes(config, axis))
    ordered = _together([with_comparison(case, axis) for case in _with_time_shared(cases)])
    return Expansion(config.name, ordered, notes, config.source.text)


def _spreads(config: Config, found: Iterable[FoundModel]) -> tuple[list[_Spread], list[Note]]:
    spreads, notes = [], dict[Note, None]()
    axes = {"engine": ("core",), **config.settings.axes}
    first = {name: axes[name][:1] for name in ("engine", "device")}
    for model in found:
        extra = [point for point in config.include if matches(point.model, model.entry.name)]
        for point, area in [(None, axes), *((point, {**first, **point.axes}) for point in extra)]:
            for engine in area["engine"]:
                for device in area["device"]:
                    at, said = corner(config, model.entry.name, engine, device)
                    spreads.append(_Spread(model, at, point))
                    notes.update(dict.fromkeys(said))
    return spreads, list(notes)


def _all_cases(config: Config, spreads: Iterable[_Spread]) -> list[Case]:
    """Every case once, in the order of the config. Errors: ConfigError if there is none."""
    made = (
        _case(config, spread, axes, test)
        for spread in spreads
        for axes in spread.axes(config)
        for test in spread.corner.settings.tests
    )
    cases = list({case.case_id: case for case in made}.values())
    if not cases:
        raise Mistakes([Problem(config.matrix_mark, "matrix", "no case is left", ("exclude names every point",))])
    return cases


def _case(config: Config, spread: _Spread, axes: Axes, test: Test) -> Case:
    settings = spread.corner.settings
    case = Case(
        case_id="",
        config=config.name,
        model=spread.model.at(axes.layers, axes.engine),
        axes=axes,
        test=test,
        sampling=settings.sampling,
        fake=settings.fake if axes.engine == "fake" else "",
        peer_binary=peer_binary(config, axes.engine),
    )
    return replace(case, case_id=case_id(case))


def _check_size(config: Config, total: int) -> None:
    if total > MAX_CASES:
        hints = (f"at most {MAX_CASES:,} cases are made of one config",)
        raise Mistakes([Problem(config.matrix_mark, "matrix", f"the lists multiply to {total:,} cases", hints)])


def _check_found(models: Iterable[FoundModel], cases: Iterable[Case]) -> None:
    """Errors: ModelNotFound for every file that a case needs and that is nowhere."""
    needed = {case.model.name for case in cases if case.axes.engine != "fake"}
    missing = [model.missing for model in models if model.missing and model.entry.name in needed]
    if missing:
        raise ModelNotFound("\n".join(missing))


def _with_time_shared(cases: Sequence[Case]) -> list[Case]:
    """Each case with its part of the config's time budget, by the number of figures it measures."""
    figures: Counter[int] = Counter()
    for case in cases:
        figures[case.sampling.time_budget_ns] += _figures(case.test)
    return [_with_part(case, figures[case.sampling.time_budget_ns]) for case in cases]


def _with_part(case: Case, n_figures: int) -> Case:
    part_ns = case.sampling.time_budget_ns * _figures(case.test) // n_figures
    return replace(case, sampling=replace(case.sampling, time_budget_ns=part_ns))


def _figures(test: Test) -> int:
    return len(test.depths) * (2 if test.kind == "sweep" else 1)


def _together(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Cases of one comparison side by side, so that the machine changes little between them; else as given."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.comparison or case.case_id, []).append(case)
    return tuple(case for group in groups.values() for case in group)


def _cut_notes(cases: Iterable[Case]) -> tuple[Note, ...]:
    labels = dict.fromkeys((case.model.name, case.model.label) for case in cases if case.model.stand_in)
    return tuple(Note(f"models.{name}", f"measured as {label}") for name, label in labels)


def _compare_notes(config: Config, axis: str) -> tuple[Note, ...]:
    if not config.compare or axis:
        return ()
    return (Note("compare", f"{config.compare} has one value only in these cases, so nothing is compared"),)
