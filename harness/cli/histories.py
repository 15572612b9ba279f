"""The record of series over time, from the evidence and the gate's judgements: what pages and tables are made of."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from harness.cli.evidence import Evidence, Track, speed, usable
from harness.config.acknowledged import Acknowledgement
from harness.records.history import ChangePoint, History, HistoryPoint, Series, SeriesVerdict
from harness.stats.changes import change_points
from harness.stats.interval import t_quantile
from harness.store.commits import Repository
from harness.store.sessions import RunEntry, Session

if TYPE_CHECKING:
    from harness.stats.judgement import Judgement

CONFIRMED = 0.001
"""A change point is called confirmed at this chance, or where re-runs were made that night."""


def history(
    evidence: Evidence,
    judgements: "Sequence[Judgement]",
    repository: Repository,
    acknowledged: Sequence[Acknowledgement] = (),
    today: date | None = None,
) -> History:
    """Every series of the evidence with its verdict; those acknowledged until `today` say so."""
    by_name = {judgement.series_id: judgement for judgement in judgements}
    accepted = _Accepted(acknowledged, today or datetime.now().astimezone().date())
    made = tuple(_series(track, by_name.get(track.key.series_id), evidence, accepted) for track in evidence.tracks)
    names = dict.fromkeys(
        commit
        for series in made
        for commit in (*(point.commit for point in series.points), *(c.commit_before for c in series.changes))
    )
    title = f"{evidence.run.config_name} on {evidence.run.device_class or 'an unnamed machine'}"
    return History(title, evidence.run.started, made, repository.described(names))


class _Accepted:
    """The acknowledgements as of a day."""

    def __init__(self, entries: Sequence[Acknowledgement], today: date) -> None:
        self.entries, self.today = entries, today

    def reason(self, name: str, ratio: float) -> str:
        """Why a slowdown is accepted and until when; empty if it is not."""
        found = next((entry for entry in self.entries if entry.covers(name, ratio, self.today)), None)
        return f"{found.reason} (until {found.until})" if found else ""


def _series(track: Track, judged: "Judgement | None", evidence: Evidence, accepted: _Accepted) -> Series:
    key = track.key
    points = tuple(
        _point(run, sessions) for run, sessions in (*track.nights, (evidence.run, (track.tonight, *track.reruns)))
    )
    verdict, reason = _verdict(track, judged, accepted)
    return Series(
        series_id=key.series_id,
        model=key.model,
        device=key.device,
        test=" ".join(filter(None, (key.test, key.metric_note))),
        variant=track.variant,
        metric=key.metric,
        unit=key.unit,
        points=points,
        changes=_changes(track, points, accepted),
        verdict=verdict,
        ratio=judged.ratio if judged else None,
        low=judged.low if judged else None,
        high=judged.high if judged else None,
        baseline=_baseline(evidence, judged),
        reason=reason,
        higher_is_better=key.higher_is_better,
        device_class=key.device_class,
    )


def _verdict(track: Track, judged: "Judgement | None", accepted: _Accepted) -> tuple[SeriesVerdict, str]:
    if track.tonight.state in {"failed", "invalid"}:
        return ("INVALID" if track.tonight.state == "invalid" else "FAILED"), track.tonight.note
    if judged is None:
        return "CANNOT TELL", track.tonight.note or "no value tonight"
    if judged.outcome == "SLOWER" and (why := accepted.reason(track.name, judged.ratio or 0.0)):
        return "ACKNOWLEDGED", why
    return judged.outcome, judged.reason


def _baseline(evidence: Evidence, judged: "Judgement | None") -> str:
    if evidence.baseline is None or judged is None or judged.ratio is None:
        return ""
    found = evidence.baseline
    if found.pinned:
        return f"{found.run.run}, {found.how}"
    commit = found.run.commits[0] if found.run.commits else found.run.run
    return f"{judged.n_nights} nights up to {commit}"


def _point(run: RunEntry, sessions: Sequence[Session]) -> HistoryPoint:
    first, *again = sessions
    low, high = _interval(first)
    fresh = [s.value for s in again if s.value is not None]
    note = f"run again {len(fresh)} times: {sum(fresh) / len(fresh):.4g}" if fresh else ""
    return HistoryPoint(
        run=run.run,
        time=run.started,
        commit=first.commit,
        value=first.value,
        low=low,
        high=high,
        n_samples=first.n_samples,
        state=first.state,
        note="; ".join(filter(None, (first.note, note))),
    )


def _interval(session: Session) -> tuple[float | None, float | None]:
    """Of the mean over the session's own samples."""
    if session.value is None or session.sd is None or session.n_samples < 2:
        return None, None
    half = t_quantile(session.n_samples - 1, 0.95) * session.sd / math.sqrt(session.n_samples)
    return session.value - half, session.value + half


def _changes(track: Track, points: Sequence[HistoryPoint], accepted: _Accepted) -> tuple[ChangePoint, ...]:
    every = (*(sessions[0] for _, sessions in track.nights), track.tonight)
    measured = [(place, speed(track.key, session)) for place, session in enumerate(every) if usable(session)]
    again = [bool(sessions[1:]) for _, sessions in track.nights] + [bool(track.reruns)]
    out = []
    for change in change_points([value for _, value in measured]):
        at, before = measured[change.index][0], measured[change.index - 1][0]
        ratio = math.exp(change.shift)
        out.append(
            ChangePoint(
                index=at,
                ratio=ratio,
                low=math.exp(change.low),
                high=math.exp(change.high),
                commit_before=points[before].commit,
                commit_after=points[at].commit,
                p_value=change.p_value,
                confirmed=change.p_value <= CONFIRMED or again[at],
                acknowledged=accepted.reason(track.name, ratio) if ratio < 1 else "",
            )
        )
    return tuple(out)


def counts(found: History) -> Mapping[SeriesVerdict, int]:
    """How many series have each verdict."""
    out: dict[SeriesVerdict, int] = {}
    for series in found.series:
        out[series.verdict] = out.get(series.verdict, 0) + 1
    return out
