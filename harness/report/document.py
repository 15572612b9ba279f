"""A run as a document: which sections it has and in which order. Pure: records in, blocks out, nothing drawn."""

from collections.abc import Callable, Sequence

from harness.records.profile import CaseProfile
from harness.records.record import Fingerprint, Limits, Record, RunInfo
from harness.report.blocks import Document, Part, Prose, Section
from harness.report.effects import pair_effects
from harness.report.headline import headline
from harness.report.published import asked_for
from harness.report.sections import (
    attribution,
    crossover,
    curves,
    energy,
    equivalence,
    experts,
    gains,
    imported,
    latency,
    limits,
    loading,
    machine,
    memory,
    merges,
    noise,
    outcome,
    published,
    repeat,
    samples,
    sweep,
    tests,
    why,
)
from harness.report.speeds import is_valid
from harness.report.text import clean
from harness.report.variants import Group, groups

GROUP_SECTIONS: tuple[Callable[[Group], Section | None], ...] = (
    sweep.section,
    curves.section,
    gains.section,
    tests.section,
    attribution.section,
    loading.section,
    latency.section,
    limits.section,
    energy.section,
    memory.section,
    merges.section,
    equivalence.section,
    experts.section,
)
"""The topics of one group, in the order of the page."""


def run_document(
    info: RunInfo, records: Sequence[Record], references: Sequence[str] = (), profiles: Sequence[CaseProfile] = ()
) -> Document:
    """The document of one run; `references` name published figures, beside those its config asks for."""
    info, records = clean(info), tuple(clean(record) for record in records)
    machines = machine.distinct(records) or (info.fingerprint,)
    found = groups(records)
    whole_run = (
        *gain_sections(records, profiles),
        outcome.section(records),
        imported.section(records),
        published.section(found, tuple(dict.fromkeys((*asked_for(info.config_text), *references)))),
        machine.section(machines, _limits(info, records)),
        noise.section(found),
        samples.section(found),
        repeat.section(info, records),
    )
    return Document(
        title=info.config_name or info.run,
        subtitle=_subtitle(records),
        facts=_facts(info, records, machines),
        warnings=_warnings(records),
        parts=tuple(map(_part, found)),
        sections=tuple(section for section in whole_run if section is not None),
    )


def gain_sections(records: Sequence[Record], profiles: Sequence[CaseProfile]) -> tuple[Section, ...]:
    """Why the merge pays and where: what a profile prints, and the first of a run's sections about all its models."""
    found = (
        why.section([clean(profile) for profile in profiles]),
        crossover.section([clean(record) for record in records]),
    )
    return tuple(section for section in found if section is not None)


def comparison_document(base: tuple[RunInfo, Sequence[Record]], other: tuple[RunInfo, Sequence[Record]]) -> Document:
    """Two runs beside each other: every verdict is about `other`, and the run is what is under comparison."""
    infos = (clean(base[0]), clean(other[0]))
    records = tuple(clean(record) for _, found in (base, other) for record in found)
    found = groups(records)
    machines = machine.distinct(records) or (infos[0].fingerprint,)
    both = (
        outcome.section(records),
        imported.section(records),
        machine.section(machines, Limits()),
        noise.section(found),
        samples.section(found),
        *(repeat.section(i, [r for r in records if r.run == i.run], n) for n, i in enumerate(infos, 1)),
    )
    return Document(
        title=f"{infos[1].run} against {infos[0].run}",
        subtitle=_subtitle(records),
        facts=(("machine", "; ".join(map(machine.one_line, machines))), *(("commit", i.harness_commit) for i in infos)),
        warnings=(*_warnings(records), *_different_machines(machines)),
        parts=tuple(map(_part, found)),
        sections=tuple(section for section in both if section is not None),
    )


def records_document(records: Sequence[Record]) -> Document:
    """The parts of a document that need no run.json: what Markdown on stdout is made of."""
    cleaned = tuple(clean(record) for record in records)
    whole_run = (outcome.section(cleaned), imported.section(cleaned))
    parts = tuple(map(_part, groups(cleaned)))
    sections = tuple(section for section in whole_run if section is not None)
    facts = (("machine", "; ".join(map(machine.one_line, machine.distinct(cleaned)))),)
    title = next((record.case.config for record in cleaned), "no records")
    return Document(title, _subtitle(cleaned), facts, _warnings(cleaned), parts, sections)


def _part(group: Group) -> Part:
    return Part(
        key=group.key,
        title=group.title,
        stand_in=group.stand_in,
        headlines=tuple(headline(pair_effects(group, pair)) for pair in group.pairs),
        legend=tuple((variant.label, variant.index) for variant in group.variants),
        sections=tuple(found for make in GROUP_SECTIONS if (found := make(group)) is not None),
    )


def _limits(info: RunInfo, records: Sequence[Record]) -> Limits:
    return info.limits if info.limits.bandwidth or info.limits.rate else records[-1].limits if records else info.limits


def _different_machines(machines: Sequence[Fingerprint]) -> tuple[Prose, ...]:
    if len({found.device_class for found in machines}) < 2:
        return ()
    return (Prose("The two runs are of different machines; what differs may be the machine alone.", "bad"),)


def _subtitle(records: Sequence[Record]) -> str:
    models = ", ".join(dict.fromkeys(record.case.model.label for record in records))
    devices = ", ".join(dict.fromkeys(record.case.axes.device for record in records))
    return f"{models} on {devices}" if records else "no case has a result yet"


def _facts(info: RunInfo, records: Sequence[Record], machines: Sequence[Fingerprint]) -> tuple[tuple[str, str], ...]:
    good = sum(is_valid(record) for record in records)
    return (
        ("machine", "; ".join(map(machine.one_line, machines))),
        ("started", info.started),
        ("run", info.run),
        ("cases", f"{good} of {len(info.cases)} with a result"),
        ("commit", info.harness_commit),
    )


def _warnings(records: Sequence[Record]) -> tuple[Prose, ...]:
    told = []
    if any(record.case.model.stand_in for record in records):
        told.append(
            "Stand-in models: real layer shapes and formats, random weights and routing. Not the real model's speed."
        )
    bad = [outcome.outcome(record) for record in records if not is_valid(record)]
    if bad:
        counts = ", ".join(f"{bad.count(word)} {word}" for word in dict.fromkeys(bad))
        told.append(f"{len(bad)} of {len(records)} cases have no result: {counts}.")
    return tuple(Prose(text, "warn") for text in told)
