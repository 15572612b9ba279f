import io
import json

import pandas as pd
import pytest
from made_records import record, sweep_record

from harness.store.sweep_out import sweep_jsonl, sweep_lines, sweep_table


def test_the_table_reads_as_ik_llama_cpps_plot_script_reads_it() -> None:
    """Its conditions: heading, one rule line, cells between bars, an empty cell at either end, these three names."""
    frame = pd.read_csv(io.StringIO(sweep_table(sweep_record())), sep=r"\s*\|\s*", engine="python", skiprows=[1])
    frame = frame.iloc[:, 1:-1]
    assert list(frame.columns) == ["PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s"]
    assert pd.to_numeric(frame["N_KV"]).tolist() == [0, 512, 1024]
    assert pd.to_numeric(frame["S_PP t/s"]).tolist() == pytest.approx([10240.0, 10039.22, 9846.15])
    assert pd.to_numeric(frame["S_TG t/s"]).tolist() == pytest.approx([320.0, 316.83, 313.73])


def test_json_lines_have_llama_sweep_benchs_keys_and_name_the_variant() -> None:
    first, *_ = map(json.loads, sweep_jsonl([sweep_record()]).splitlines())
    theirs = "n_kv_max n_batch n_ubatch flash_attn n_gpu_layers n_threads n_threads_batch pp tg n_kv t_pp speed_pp t_tg"
    assert set(theirs.split()) <= set(first)
    assert first["n_kv_max"] == 1536
    assert first["speed_pp"] == pytest.approx(10240)
    assert {"model", "muge", "split_mode"} <= set(first)


def test_only_sweeps_have_sweep_lines() -> None:
    assert sweep_jsonl([record(), sweep_record(status="invalid")]) == ""


def test_a_depth_at_which_one_half_failed_is_left_out() -> None:
    made = sweep_record()
    cut = record(made.rows[:-1], kind="sweep")
    assert [line.n_kv for line in sweep_lines(cut)] == [0, 512]
