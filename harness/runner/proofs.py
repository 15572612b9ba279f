"""Which case proves its logits against which. Each pair of variants is compared once a run, whatever the tests."""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.records.case import Case
from harness.records.json import to_json
from harness.records.record import Equivalence, Record
from harness.runner.equivalence import changed_axes, must_agree, must_be_identical
from harness.runner.job import LogitsTask
from harness.runner.order import Variant, groups, variant

FOLDER = ".logits"


class Proofs:
    """The baselines of a run's comparisons, where their logits lie, and what was found so far. Cases go by id."""

    def __init__(self, cases: Sequence[Case], run_dir: Path, records: Iterable[Record] = ()) -> None:
        self._folder = run_dir / FOLDER
        self._cases = {case.case_id: case for case in cases}
        self._baseline = {case.case_id: group[0] for group in groups(cases) for case in group}
        self._wanted = {
            variant(group[0]) for group in groups(cases) for case in group[1:] if must_agree(group[0].axes, case.axes)
        }
        self._found: dict[tuple[Variant, Variant], Equivalence] = {}
        for record in records:
            self.learn(record.case.case_id, record.equivalence)

    def baseline(self, case_id: str) -> str:
        """The case whose logits a case's are compared with: the first of its comparison."""
        return self._baseline[case_id].case_id

    def task(self, case_id: str) -> LogitsTask | None:
        """What the worker of a case has to do before it times; None where nothing is left to prove."""
        case, baseline = self._cases[case_id], self._baseline[case_id]
        path = self._path(baseline)
        if variant(case) == variant(baseline):
            if variant(case) not in self._wanted or path.exists():
                return None
            self._folder.mkdir(exist_ok=True)
            return LogitsTask("save", str(path))
        if self.known(case_id) is not None:
            return None
        exact = must_be_identical(baseline.axes, case.axes)
        return LogitsTask("compare", str(path), baseline.case_id, exact, baseline.axes.engine != case.axes.engine)

    def known(self, case_id: str) -> Equivalence | None:
        """What is known of a case without asking its engine."""
        case, baseline = self._cases[case_id], self._baseline[case_id]
        if variant(case) == variant(baseline):
            return None
        if not must_agree(baseline.axes, case.axes):
            changed = ", ".join(changed_axes(baseline.axes, case.axes))
            return Equivalence(against=baseline.case_id, note=f"results may differ between values of {changed}")
        found = self._found.get((variant(baseline), variant(case)))
        return None if found is None else replace(found, against=baseline.case_id)

    def learn(self, case_id: str, found: Equivalence) -> None:
        """Keep a verdict for the other tests of the same two variants."""
        if found.verdict != "not checked":
            self._found[variant(self._baseline[case_id]), variant(self._cases[case_id])] = found

    def remove_logits(self) -> None:
        """The run is complete; they are large."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, baseline: Case) -> Path:
        text = "\n".join((to_json(baseline.model), to_json(baseline.axes), baseline.fake))
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
