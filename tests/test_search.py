"""The search: what may be searched, what is drawn, what is remembered, what the table says."""

import json
import math
import shutil
from pathlib import Path

import pytest

from finllm.experiments import experiment, result_text
from finllm.experiments.identity import study_name
from finllm.experiments.space import read_space
from finllm.experiments.trials import Outcome, best, finished, open_study, search

ROOT = Path(__file__).parents[1]
PARAMS = ROOT / "params.yaml"
SPACE = """
lora.r: {values: [4, 8, 16, 32]}
train.learning_rate: {low: 1e-4, high: 1e-2, log: true}
train.batch_size: {low: 1, high: 8}
"""


def space_of(tmp_path, text=SPACE):
    (tmp_path / "space.yaml").write_text(text)
    return read_space(tmp_path / "space.yaml", params=PARAMS)


def test_the_space_that_comes_with_the_project_is_valid_and_holds_the_current_values():
    space = read_space(ROOT / "presets" / "search" / "lora.yaml", params=PARAMS)
    assert {"lora.r", "train.learning_rate"} <= {one.key for one in space.dimensions}
    assert all(one.holds(space.current()[one.key]) for one in space.dimensions)


def test_a_range_is_whole_where_the_parameter_is(tmp_path):
    _, rate, size = space_of(tmp_path).dimensions
    assert (rate.log, rate.whole) == (True, False)
    assert (size.log, size.whole) == (False, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lora.rnak: {values: [4]}", "unknown parameter lora.rnak; did you mean lora.r"),
        ("lora.r: {values: [0]}", "lora.r is 0; it must be at least 1"),
        ("lora.r: {values: []}", "lora.r.values is []; it must be a list"),
        ("lora.r: {values: [4, eight]}", "lora.r is 'eight'; it must be a whole number"),
        ("lora.r: 4", "lora.r is 4; it must have values, or low and high"),
        ("lora.r: {low: 4}", "it must have values, or low and high"),
        ("lora.r: {low: 4, high: 8, step: 2}", "lora.r has 'step'"),
        ("lora.r: {low: 8, high: 4}", "low must be below high"),
        ("lora.dropout: {low: 0, high: 0.5, log: true}", "low must be above 0 and below high"),
        ("lora.dropout: {low: 0, high: 0.5, log: 1}", "lora.dropout.log is 1"),
        ("lora.dropout: {low: 0, high: 1.5}", "lora.dropout is 1.5; it must be at least 0 and at"),
        ("lora.targets: {low: 0, high: 1}", "'all-linear' in params.yaml, not a number"),
        ("train.seed: {values: [1, 2]}", "the best of several seeds is better only by chance"),
        ("model.name: {values: [a]}", "of one tokenizer is not that of another"),
        ("split.val_share: {low: 0.1, high: 0.3}", "only for the same examples and base model"),
        ("evaluate.encoder_layer: {values: [4]}", "evaluate.encoder_layer cannot be searched"),
        ("[lora.r]", "it must be a mapping of parameters"),
        ("lora.r: {values: [4", "not valid YAML"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_in_words(tmp_path, text, words):
    with pytest.raises(ValueError) as caught:
        space_of(tmp_path, text)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "space.yaml"))


def loss_of(settings):
    """Lowest, at 1, for r = 8 and a rate of 1e-3."""
    far = abs(math.log2(settings["lora.r"]) - 3) + abs(
        math.log10(settings["train.learning_rate"]) + 3
    )
    return 1 + far / 10


class Trainer:
    """Trains at once; remembers what it was asked, and is interrupted at one of its trials."""

    def __init__(self, *, interrupted_at=None, failing=()):
        self.asked = []
        self.interrupted_at = interrupted_at
        self.failing = failing

    def __call__(self, name, settings, watch):
        self.asked.append(dict(settings))
        if len(self.asked) == self.interrupted_at:
            raise KeyboardInterrupt
        if len(self.asked) in self.failing:
            return Outcome("failed", None, "train: diverged")
        for i in range(5):
            loss = loss_of(settings) + (4 - i) * 0.1
            if watch(i, loss) and i < 4:
                return Outcome("pruned", loss)
        return Outcome("complete", loss_of(settings))


def study_in(folder, *, prune=False):
    return open_study(folder / "journal.log", n_startup_trials=3, prune=prune)


def run(study, space, train, n_trials, **others):
    search(
        study,
        space,
        train,
        n_trials=n_trials,
        n_startup_trials=3,
        seed=7,
        prefix="s",
        say=lambda _: None,
        **others,
    )


def test_the_first_trial_is_params_yaml_and_later_ones_find_better(tmp_path):
    space, train = space_of(tmp_path), Trainer()
    study = study_in(tmp_path)
    run(study, space, train, 20)
    assert train.asked[0] == space.current()
    assert all(one.holds(row[one.key]) for row in train.asked for one in space.dimensions)
    rows = finished(study)
    assert [row.state for row in rows] == ["complete"] * 20
    assert best(study).val_loss_nats == min(map(loss_of, train.asked))
    assert best(study).val_loss_nats < 1.05 < rows[0].val_loss_nats


def test_a_search_interrupted_and_started_again_draws_what_it_would_have_drawn(tmp_path):
    space, whole = space_of(tmp_path), Trainer()
    run(study_in(tmp_path / "whole"), space, whole, 9)
    first, second = Trainer(interrupted_at=5), Trainer()
    with pytest.raises(KeyboardInterrupt):
        run(study_in(tmp_path / "cut"), space, first, 9)
    run(study_in(tmp_path / "cut"), space, second, 9)  # read again from the journal
    assert second.asked[0] == first.asked[-1]  # the trial that was running
    assert first.asked[:-1] + second.asked == whole.asked
    study = study_in(tmp_path / "cut")
    assert len(finished(study)) == 9
    run(study, space, second, 9)
    assert len(second.asked) == 5  # nothing is left to do


def test_another_seed_draws_others(tmp_path):
    space, one, other = space_of(tmp_path), Trainer(), Trainer()
    run(study_in(tmp_path / "one"), space, one, 3)
    search(
        study_in(tmp_path / "other"),
        space,
        other,
        n_trials=3,
        n_startup_trials=3,
        seed=8,
        prefix="s",
        say=lambda _: None,
    )
    assert one.asked[0] == other.asked[0] and one.asked[1:] != other.asked[1:]


def test_a_trial_behind_the_median_is_stopped_and_is_never_the_best(tmp_path):
    space, train = space_of(tmp_path), Trainer()
    study = study_in(tmp_path, prune=True)
    run(study, space, train, 20)
    pruned = [row for row in finished(study) if row.state == "pruned"]
    assert pruned and all(row.experiment == "" for row in pruned)
    complete = sorted(row.val_loss_nats for row in finished(study) if row.state == "complete")
    assert best(study).val_loss_nats == complete[0]
    assert min(loss_of(row.settings) for row in pruned) > complete[0]


def test_a_failed_trial_is_a_row_and_three_at_the_start_end_the_search(tmp_path):
    space = space_of(tmp_path)
    study = study_in(tmp_path / "one")
    run(study, space, Trainer(failing=(2,)), 4)
    assert [row.state for row in finished(study)] == ["complete", "failed", "complete", "complete"]
    with pytest.raises(ValueError, match="all of the 3 trials failed, the last: train: diverged"):
        run(study_in(tmp_path / "all"), space, Trainer(failing=range(9)), 9)


def test_settings_that_do_not_go_together_fail_before_they_are_trained(tmp_path):
    (tmp_path / "params.yaml").write_text(
        PARAMS.read_text().replace("quantization: nf4", "quantization: none", 1)
    )
    (tmp_path / "space.yaml").write_text(
        "train.method: {values: [lora, full]}\nmodel.quantization: {values: [nf4, none]}\n"
    )
    space = read_space(tmp_path / "space.yaml", params=tmp_path / "params.yaml")
    with pytest.raises(ValueError, match="quantized weights cannot be trained"):
        space.check({"train.method": "full", "model.quantization": "nf4"})
    space.check({"train.method": "full", "model.quantization": "none"})


def test_no_trial_begins_after_the_timeout(tmp_path):
    train = Trainer()
    run(study_in(tmp_path), space_of(tmp_path), train, 3, until=0.0)
    assert train.asked == []


def test_the_table_has_the_best_first_and_the_commands_that_use_it(tmp_path):
    space, study = space_of(tmp_path), study_in(tmp_path)
    run(study, space, Trainer(failing=(3,)), 6)
    text = result_text.page(finished(study), best(study), space)
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["trial", "state", "val", "loss"]
    losses = [float(line.split()[2]) for line in lines[1:6]]
    assert losses == sorted(losses) and lines[6].split()[1] == "failed"
    top = best(study)
    assert f"dvc exp apply {top.experiment} && dvc repro" in text
    rate = top.settings["train.learning_rate"]
    assert f"-S lora.r={top.settings['lora.r']} -S train.learning_rate={rate}" in text


def test_a_trial_runs_the_train_stage_alone_and_reads_its_metrics_alone():
    command = experiment.command("s-001", {"lora.r": 8, "lora.dora": True})
    assert command[1:6] == ["-m", "dvc", "exp", "run", "--temp"]
    assert "--single-item" in command and command[-1] == "train"
    assert command[-5:-1] == ["-S", "lora.r=8", "-S", "lora.dora=true"]
    for source in (ROOT / "finllm" / "experiments").glob("*.py"):
        text = source.read_text()
        assert "evaluate.json" not in text and "test.jsonl" not in text, source.name


def test_trials_of_other_data_parameters_code_or_processors_are_another_study(
    tmp_path, monkeypatch
):
    for folder in ("finllm/model", "finllm/training", "data/split"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one.py").write_text("1")
    shutil.copy(PARAMS, tmp_path / "params.yaml")
    deps = ["finllm/model", "finllm/training", "data/split/one.py"]
    stage = {"deps": deps, "params": ["lora", "train", "templatize.system_prompt"]}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"train": stage}}))
    file = tmp_path / "space.yaml"
    file.write_text(SPACE)

    def name():
        space = read_space(file, params=tmp_path / "params.yaml")
        return study_name(space, file, project=tmp_path, stage="train")

    def changed(old, new):
        text = (tmp_path / "params.yaml").read_text()
        assert old in text
        (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
        return name()

    names = [name()]
    assert names == [name()]
    assert changed("  r: 16 ", "  r: 8 ") == names[0]  # is searched
    assert changed("n_permutations: 10000", "n_permutations: 999") == names[0]  # of another stage
    names.append(changed("epochs: 2.0", "epochs: 3.0"))
    (tmp_path / "data/split/one.py").write_text("2")
    names.append(name())
    (tmp_path / "finllm/training/one.py").write_text("2")
    names.append(name())
    file.write_text(SPACE.replace("32", "64"))
    names.append(name())
    with monkeypatch.context() as patch:
        patch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
        names.append(name())
    monkeypatch.setattr("finllm.model.arithmetic.libraries", lambda: {"torch": "another"})
    names.append(name())
    assert len(set(names)) == 7
    assert all(one.startswith("space-") for one in names)
