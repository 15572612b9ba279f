import pytest
from made_configs import config, expanded, found

from harness.config import labels
from harness.config.problems import Mistakes
from harness.errors import ConfigError
from harness.records.axes import Axes
from harness.records.case import Test

MUGE = "models: {m: a.gguf}\nmatrix: {merge_up_gate: [off, on]}\n"


def test_lists_multiply_out() -> None:
    cases = expanded(
        "models: {m: a, n: b}\nmatrix: {threads: [1, 2], fused_moe: [on, off]}\ntests: [{pp: [8, 16]}]"
    ).cases
    seen = {(c.model.name, c.axes.threads, c.axes.fused_moe, c.test.n_prompt) for c in cases}
    assert len(seen) == len(cases) == 16


def test_every_field_of_a_case_can_be_chosen() -> None:
    from dataclasses import fields

    from harness.config.axes import AXES

    assert set(AXES) == {field.name for field in fields(Axes)}


def test_the_engines_are_those_of_the_registry() -> None:
    from harness.config.axes import ENGINES
    from harness.engines.registry import ENGINES as KNOWN

    assert set(ENGINES) == set(KNOWN)


def test_without_a_matrix_there_is_one_point_with_the_defaults() -> None:
    cases = expanded("models: {m: a.gguf}").cases
    assert [case.axes for case in cases] == [Axes(), Axes()]
    assert [case.test.label for case in cases] == ["pp512", "tg128"]


@pytest.mark.parametrize(("alias", "name"), [("muge", "merge_up_gate"), ("mqkv", "merge_qkv"), ("fmoe", "fused_moe")])
def test_aliases_mean_the_axis(alias: str, name: str) -> None:
    one, other = (config(f"models: {{m: a}}\nmatrix: {{{key}: [off, on]}}").settings for key in (alias, name))
    assert one == other


def test_synonyms_become_the_name_of_the_thing() -> None:
    cases = expanded("models: {m: a}\nmatrix: {split_mode: tensor, device: 'cpu:0,cpu:1'}").cases
    assert {(case.axes.split_mode, case.axes.device) for case in cases} == {("graph", "cpu:0,cpu:1")}


def test_axes_that_are_lists_take_one_list_as_one_value() -> None:
    def splits(text: str) -> list[tuple[float, ...]]:
        cases = expanded(f"models: {{m: a}}\nmatrix: {{tensor_split: {text}}}\ntests: [{{pp: 8}}]").cases
        return [case.axes.tensor_split for case in cases]

    assert splits("[3, 1]") == [(3.0, 1.0)]
    assert splits("[[3, 1], [1, 1]]") == [(3.0, 1.0), (1.0, 1.0)]
    assert splits("[]") == [()]
    assert splits("[[], [1, 1]]") == [(), (1.0, 1.0)]


def test_layers_all_is_no_cut() -> None:
    cases = expanded("models: {m: a}\nmatrix: {layers: [4, all]}\ntests: [{pp: 8}]").cases
    assert [case.axes.layers for case in cases] == [4, None]


def test_exclude_takes_points_out() -> None:
    text = MUGE + "exclude: [{merge_up_gate: on, model: m}]\ntests: [{pp: 8}]"
    assert [case.axes.merge_up_gate for case in expanded(text).cases] == [False]


def test_exclude_by_a_list_by_all_layers_and_by_auto() -> None:
    matrix = "models: {m: a}\nmatrix: {threads: [1, 2, 3], layers: [2, all], device: auto}\ntests: [{pp: 8}]\n"
    assert len(expanded(matrix + "exclude: [{threads: [1, 3]}]").cases) == 2
    assert len(expanded(matrix + "exclude: [{layers: all}]").cases) == 3
    assert len(expanded(matrix + "exclude: [{device: auto, threads: 1}]").cases) == 4


def test_excluding_everything_is_a_mistake_with_a_place() -> None:
    with pytest.raises(Mistakes, match=r"config\.yaml:2:9: matrix: no case is left"):
        expanded(MUGE + "exclude: [{engine: core}]")


def test_include_adds_points_with_the_first_value_elsewhere() -> None:
    text = MUGE + "include: [{fused_moe: off, merge_up_gate: [on, off]}, {engine: xllamacpp}]\ntests: [{pp: 8}]"
    points = [(c.axes.engine, c.axes.merge_up_gate, c.axes.fused_moe) for c in expanded(text).cases]
    assert sorted(points) == sorted(
        [
            ("core", False, True),
            ("core", True, True),
            ("core", True, False),
            ("core", False, False),
            ("xllamacpp", False, True),
        ]
    )


def test_include_only_for_models_that_match() -> None:
    text = "models: {big: a, small: b}\ninclude: [{model: sm*, fused_moe: off}]\ntests: [{pp: 8}]"
    assert {(c.model.name, c.axes.fused_moe) for c in expanded(text).cases} == {
        ("big", True), ("small", True), ("small", False),
    }  # fmt: skip


def test_a_point_that_is_there_twice_is_measured_once() -> None:
    text = MUGE + "include: [{merge_up_gate: on}]\ntests: [{pp: 8}, {pp: [8, 16]}]"
    assert len(expanded(text).cases) == 4


def test_experts_are_copied_never_from_a_number_of_tokens_on_or_where_it_pays() -> None:
    text = "models: {m: a}\nmatrix: {expert_copy: [off, auto, 1, 512]}\ntests: [{pp: 8}]"
    assert [case.axes.expert_copy for case in expanded(text).cases] == ["off", "auto", "1", "512"]


def test_a_matrix_that_explodes_is_refused_before_it_is_made() -> None:
    axes = ", ".join(
        f"{name}: [off, on]" for name in ("muge", "mqkv", "fmoe", "cpu_moe", "repack", "mmap", "flash_attn")
    )
    text = f"models: {{m: a}}\nmatrix: {{{axes}, threads: {list(range(200))}}}\n"
    with pytest.raises(Mistakes, match=r"config\.yaml:2:9: matrix: the lists multiply to 51,200 cases"):
        expanded(text)


def test_tests_become_records() -> None:
    tests = """
tests:
  - sweep: {pp: 2048, tg: 128, n_kv: 0..4096/2048}
  - {pp: [512, 1024], depth: [1024, 0]}
  - {tg: 128, depth: 0..512/512}
  - {pg: [[512, 128], [64, 8]]}
  - load
"""
    assert config("models: {m: a}" + tests).settings.tests == (
        Test("sweep", 2048, 128, (0, 2048, 4096)),
        Test("pp", 512, 0, (0, 1024)),
        Test("pp", 1024, 0, (0, 1024)),
        Test("tg", 0, 128, (0, 512)),
        Test("pg", 512, 128),
        Test("pg", 64, 8),
        Test("load"),
    )


def test_the_sides_of_a_comparison_share_a_key_and_stand_together() -> None:
    cases = expanded(MUGE + "tests: [{pp: 8}, {tg: 8}]").cases
    assert [case.test.kind for case in cases] == ["pp", "pp", "tg", "tg"]
    assert [case.axes.merge_up_gate for case in cases] == [False, True, False, True]
    assert cases[0].comparison == cases[1].comparison != cases[2].comparison == cases[3].comparison
    assert cases[0].comparison.startswith("merge_up_gate:")


def test_what_is_compared_is_asked_for_or_the_merge_or_the_first_switch() -> None:
    def axis(matrix: str, compare: str = "") -> str:
        text = f"models: {{m: a}}\nmatrix: {matrix}\ntests: [{{pp: 8}}]\n{compare}"
        return expanded(text).cases[0].comparison.partition(":")[0]

    assert axis("{fused_moe: [on, off], merge_up_gate: [off, on]}") == "merge_up_gate"
    assert axis("{fused_moe: [on, off], threads: [1, 2]}") == "fused_moe"
    assert axis("{threads: [1, 2]}") == ""
    assert axis("{threads: [1, 2]}", "compare: threads") == "threads"
    assert axis("{fused_moe: [on, off], muge: [off, on]}", "compare: fmoe") == "fused_moe"


def test_comparing_an_axis_with_one_value_is_noted() -> None:
    expansion = expanded("models: {m: a}\ncompare: merge_up_gate")
    assert [note.text for note in expansion.notes if note.where == "compare"] == [
        "merge_up_gate has one value only in these cases, so nothing is compared"
    ]


def test_engines_are_compared_over_axes_that_only_one_of_them_knows() -> None:
    points = "matrix: {engine: core}\ninclude: [{engine: ik_wheel, repack: on}]\n"
    text = f"models: {{m: a}}\n{points}compare: engine\ntests: [{{pp: 8}}]"
    cases = expanded(text).cases
    assert len({case.comparison for case in cases}) == 1
    assert {case.axes.engine for case in cases} == {"core", "ik_wheel"}


def test_only_keeps_what_a_glob_names_by_label_or_id() -> None:
    text = MUGE + "tests: [{pp: 8}, {tg: 8}]"
    everything = expanded(text).cases
    assert [case.test.kind for case in expanded(text, only=["tg8"]).cases] == ["tg", "tg"]
    assert len(expanded(text, only=["merge_up_gate=on*pp8"]).cases) == 1
    assert len(expanded(text, only=["pp8", "merge_up_gate=on"]).cases) == 3
    assert expanded(text, only=[everything[2].case_id]).cases[0].case_id == everything[2].case_id


def test_only_without_a_match_lists_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match=r"no case matches 'pp9'; there are:\n  [0-9a-f]{12}  m merge_up_gate=off pp8"
    ):
        expanded(MUGE + "tests: [{pp: 8}]", only=["pp9"])


def test_labels_name_the_model_what_varies_and_the_test() -> None:
    cases = expanded(MUGE + "tests: [{pp: 8, depth: 4}]").cases
    assert labels(cases) == ("m merge_up_gate=off pp8 @ d4", "m merge_up_gate=on pp8 @ d4")


def test_ids_do_not_depend_on_folder_time_or_name_of_the_config() -> None:
    from pathlib import Path

    from harness.config import expand, parse_config

    one = parse_config(b"name: a\nmodels: {m: x/a.gguf}\ntime_budget: 1 min", "a.yaml", Path("/here"))
    other = parse_config(b"name: b\nmodels: {m: a.gguf}\ntime_budget: 9 min", "b.yaml", Path("/there"))
    ids = [[c.case_id for c in expand(c, resolve=lambda: ("cpu:0", ""), find=found).cases] for c in (one, other)]
    assert ids[0] == ids[1]


def test_ids_are_pinned_so_that_a_change_of_them_is_noticed() -> None:
    cases = expanded("models: {m: a.gguf}\ntests: [{pp: 512}]\nmatrix: {device: cpu:0}").cases
    assert [case.case_id for case in cases] == ["3dac560b7fe9"]


def test_the_time_budget_is_shared_by_the_number_of_figures() -> None:
    text = "models: {m: a}\ntime_budget: 100 s\ntests: [{sweep: {pp: 8, tg: 8, n_kv: 0..8/8}}, {pp: 8}]"
    assert [case.sampling.time_budget_ns for case in expanded(text).cases] == [80 * 10**9, 20 * 10**9]


def test_sampling_is_what_the_config_says() -> None:
    text = "models: {m: a}\nprecision: 2 %\nsamples: {min: 5, max: 9}\ndeadline: 1 min\ntests: [{pp: 8}]"
    sampling = expanded(text).cases[0].sampling
    assert (sampling.precision, sampling.min_samples, sampling.max_samples) == (0.02, 5, 9)
    assert sampling.deadline_ns == 60 * 10**9
