from made_configs import expanded, found

TEXT = """
models: {m: {gguf: a.gguf, stand_in: {preset: gpt-oss-20b}}}
matrix: {device: auto, merge_up_gate: [off, on]}
tests: [{pp: 2048}, {tg: 128}]
time_budget: 10 min
when:
  - device: cpu
    set: {layers: 4, tests: [{pp: 512}], time_budget: 3 min}
"""


def test_a_condition_holds_on_its_sort_of_device_and_says_what_it_left_out() -> None:
    expansion = expanded(TEXT)
    assert {(case.axes.layers, case.test.label) for case in expansion.cases} == {(4, "pp512")}
    assert sum(case.sampling.time_budget_ns for case in expansion.cases) == 180 * 10**9
    left_out = "layers 4 instead of all; tests pp512 instead of pp2048, tg128; time budget 3 min instead of 10 min"
    assert [note.text for note in expansion.notes if note.where == "when[0]"] == [f"left out on cpu:0: {left_out}"]


def test_a_condition_does_not_hold_elsewhere() -> None:
    expansion = expanded(TEXT, device="cuda:0")
    assert {case.test.label for case in expansion.cases} == {"pp2048", "tg128"}
    assert not [note for note in expansion.notes if note.where.startswith("when")]


def test_auto_is_explained() -> None:
    notes = {note.where: note.text for note in expanded(TEXT).notes}
    assert notes["matrix.device"] == "auto is cpu:0: assumed"


def test_nothing_is_asked_of_the_machine_where_devices_are_named() -> None:
    from pathlib import Path

    from harness.config import expand, parse_config

    def refuse() -> tuple[str, str]:
        raise AssertionError("asked")

    config = parse_config(b"models: {m: a}\nmatrix: {device: cpu:0}", "c.yaml", Path("/"))
    expand(config, resolve=refuse, find=found)


def test_conditions_on_device_model_and_engine_must_all_hold() -> None:
    text = """
models: {big: a, small: b}
matrix: {engine: [core, xllamacpp], device: [cpu:0, cuda:0]}
tests: [{pp: 8}]
when: [{device: "cuda:0", model: "b*", engine: core, set: {threads: 7}}]
"""
    changed = {(c.model.name, c.axes.engine, c.axes.device) for c in expanded(text).cases if c.axes.threads == 7}
    assert changed == {("big", "core", "cuda:0")}


def test_one_device_of_several_is_enough() -> None:
    text = "models: {m: a}\nmatrix: {device: 'cuda:0,cpu:0'}\nwhen: [{device: cpu, set: {threads: 3}}]"
    assert expanded(text).cases[0].axes.threads == 3


def test_later_conditions_win() -> None:
    text = "models: {m: a}\nwhen: [{set: {threads: 1}}, {device: cpu, set: {threads: 2}}]\ntests: [{pp: 8}]"
    assert [case.axes.threads for case in expanded(text).cases] == [2]


def test_a_condition_can_make_a_list() -> None:
    text = "models: {m: a}\nwhen: [{device: cpu, set: {threads: [1, 2]}}]\ntests: [{pp: 8}]"
    assert [case.axes.threads for case in expanded(text).cases] == [1, 2]


def test_set_on_the_command_line_has_the_last_word() -> None:
    expansion = expanded(TEXT, overrides=["layers=2", "tests=[{tg: 16}]", "time_budget=1 min"])
    assert {(case.axes.layers, case.test.label) for case in expansion.cases} == {(2, "tg16")}
    assert sum(case.sampling.time_budget_ns for case in expansion.cases) == 60 * 10**9
    assert not [note for note in expansion.notes if note.where == "when[0]"]
    assert expansion.text.startswith("# --set layers=2\n# --set tests=[{tg: 16}]\n# --set time_budget=1 min\n")
