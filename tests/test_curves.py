import csv

from transformers import TrainerControl, TrainerState

from finllm.training.curves import CURVES, LiveCurves, open_live


def written(folder, log):
    """The files that a log of (step, values) leaves, by name."""
    live = open_live(str(folder))
    curves = LiveCurves(live, folder.parent / "steps.csv")
    curves.on_train_begin(None, TrainerState(), TrainerControl())
    for step, logs in log:
        state = TrainerState(global_step=step)
        curves.on_log(None, state, TrainerControl(), logs=logs)
    live.end()
    found = {}
    for path in sorted(folder.rglob("*.tsv")):
        with open(path, newline="", encoding="utf-8") as file:
            found[str(path.relative_to(folder))] = list(csv.DictReader(file, delimiter="\t"))
    return found


def test_every_curve_is_a_file_with_a_step_and_a_value_a_line(tmp_path):
    log = [
        (0, {"eval_loss": 3.0, "eval_runtime": 0.1}),
        (1, {"loss": 2.5, "grad_norm": 1.5, "learning_rate": 1e-3}),
        (2, {"loss": 2.25, "grad_norm": 1.25, "learning_rate": 5e-4}),
        (2, {"eval_loss": 2.0}),
        (2, {"near_zero_share": 0.5, "update_to_weight": 1e-3}),
        (2, {"tokens_per_second": 300.0, "peak_memory_gb": 4.0}),
    ]
    found = written(tmp_path / "curves", log)
    assert len(found) == len(CURVES)
    costs = (tmp_path / "steps.csv").read_text()
    assert costs == "step,tokens_per_second,peak_memory_gb\n2,300.0,4.0\n"
    (loss,) = [rows for name, rows in found.items() if "train" in name and "loss" in name]
    assert [int(row["step"]) for row in loss] == [1, 2]
    assert [float(row["loss_nats"]) for row in loss] == [2.5, 2.25]
    (val,) = [rows for name, rows in found.items() if "val" in name]
    assert [(int(row["step"]), float(row["loss_nats"])) for row in val] == [(0, 3.0), (2, 2.0)]


def test_what_is_no_curve_is_not_written(tmp_path):
    assert written(tmp_path / "curves", [(1, {"train_runtime": 5.0, "epoch": 1.0})]) == {}


def test_what_a_step_costs_is_no_curve_and_survives_a_kill(tmp_path):
    live = open_live(str(tmp_path / "curves"))
    curves = LiveCurves(live, tmp_path / "costs" / "steps.csv")
    before = [{"step": 1, "tokens_per_second": 200.0, "peak_memory_gb": 2.0, "loss": 3.0}]
    curves.on_train_begin(None, TrainerState(log_history=before), TrainerControl())
    again = {"tokens_per_second": 300.0, "peak_memory_gb": 2.5}
    curves.on_log(None, TrainerState(global_step=2), TrainerControl(), logs=again)
    live.end()
    rows = (tmp_path / "costs" / "steps.csv").read_text().splitlines()
    assert rows == ["step,tokens_per_second,peak_memory_gb", "1,200.0,2.0", "2,300.0,2.5"]
    assert "200.0" not in (tmp_path / "curves" / "metrics.json").read_text()
