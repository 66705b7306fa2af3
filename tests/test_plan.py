import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finllm import cli
from finllm.commands.plan.plan_text import page
from finllm.planning.cost import attainable_speed, training_cost
from finllm.planning.plan_request import plan_params, planned_answers_gb
from finllm.planning.planned_memory import planned_peak_gb
from finllm.settings.params import load_params
from finllm.settings.presets import preset_params

ROOT = Path(__file__).parents[1]


def planned(params, **changes):
    request = {
        "launcher": "",
        "devices": 0,
        "examples": 0,
        "tokens_per_second": 0.0,
        "train_set": None,
        "metrics": None,
    }
    return plan_params(params, **{**request, **changes})


@pytest.fixture
def shipped():
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def gpu():
    return preset_params(
        "gpu-llama3-8b-qlora", folder=ROOT / "presets", params=ROOT / "params.yaml"
    )


def test_the_default_is_planned_from_its_parameters_alone(shipped):
    plan = planned(shipped)
    assert plan.parameters["total"] == 134_515_008
    assert plan.trainable["all-linear"] == 4_884_480
    assert plan.fits and plan.launcher == "single" and plan.device_gb == 8
    assert plan.cost is None  # nobody knows how many examples there will be


def test_the_preset_of_the_8b_is_planned_as_counted(gpu):
    plan = planned(gpu)
    assert plan.trainable == {
        "all-linear": 41_943_040,
        "attention": 13_631_488,
        "query-value": 6_815_744,
    }
    asked = plan.weights["nf4, double quantization"]
    assert asked.total / 1e9 == pytest.approx(5.70, abs=0.005)
    assert plan.checkpointed < plan.kept
    assert plan.largest_batches[24]["checkpointed"] >= gpu.train.batch_size
    assert plan.largest_batches[24]["kept"] == 0


def test_tokens_and_time_follow_from_examples_and_speed(gpu):
    cost = planned(gpu, examples=320, tokens_per_second=1000).cost
    assert cost.steps == 30  # 3 epochs of 320 / 32 steps
    assert cost.tokens == 3 * 320 * 4096
    assert cost.hours == pytest.approx(3 * 320 * 4096 / 1000 / 3600)
    assert cost.speed_from == "given"


def test_without_a_speed_it_is_a_share_of_the_devices_peak(gpu):
    cost = planned(gpu, examples=320).cost
    expected = 125e12 * 0.3 / cost.flops_per_token
    assert cost.tokens_per_second == pytest.approx(expected)
    assert "30% of 1 x 125 TFLOP/s" in cost.speed_from
    assert planned(gpu, examples=320, devices=4).cost.tokens_per_second == pytest.approx(
        4 * expected
    )


def test_attainable_speed_by_hand():
    assert attainable_speed(
        flops_per_token=1e9, peak_tflops=2, utilisation=0.5, devices=3
    ) == pytest.approx(3000)


def test_max_steps_decides_where_it_is_set():
    cost = training_cost(
        examples=100,
        tokens_per_example=10,
        tokens_from="",
        effective_batch=10,
        epochs=5,
        max_steps=3,
        flops_per_token=1,
        tokens_per_second=1,
        speed_from="",
    )
    assert (cost.steps, cost.tokens) == (3, 300)


def last_run(folder, **changes):
    row = {
        "n_steps": 10,
        "effective_batch_size": 4,
        "n_train_examples": 40,
        "n_train_tokens": 8000,
        "trainable_parameters": 4_884_480,
        **changes,
    }
    for name, found in (("details", row), ("costs", {"cost": {"tokens_per_second": 500.0}})):
        (folder / name).mkdir()
        (folder / name / "train.json").write_text(json.dumps(found))
    return folder


def test_the_last_run_says_how_fast_and_how_long_examples_are(shipped, tmp_path):
    cost = planned(shipped, metrics=last_run(tmp_path)).cost
    assert (cost.examples, cost.tokens_per_example, cost.tokens_per_second) == (40, 200, 500)
    assert cost.tokens == 2 * 40 * 200  # two epochs


@pytest.mark.parametrize("change", [{"trainable_parameters": 1}, {"effective_batch_size": 8}])
def test_a_run_of_another_adapter_or_batch_says_nothing(shipped, tmp_path, change):
    assert planned(shipped, metrics=last_run(tmp_path, **change)).cost is None


def test_metrics_that_no_train_stage_wrote_are_an_error(shipped, tmp_path):
    (last_run(tmp_path) / "details" / "train.json").write_text("{}")
    with pytest.raises(ValueError, match=r"train\.json: not what the train stage writes"):
        planned(shipped, metrics=tmp_path)


def test_the_peak_beside_the_measured_one_is_that_of_the_longest_example(shipped):
    def peak(length):
        return planned_peak_gb(
            shipped, "", length=length, labelled=10, device="cpu", mixed_lengths=False
        )

    assert peak(100) < peak(400)


def test_a_model_that_is_not_counted_has_no_planned_peak(shipped, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    found = planned_peak_gb(
        shipped, str(tmp_path), length=10, labelled=1, device="cpu", mixed_lengths=True
    )
    assert found is None


def test_the_page_states_units_and_marks_what_is_asked(gpu):
    text = page(planned(gpu, examples=1000))
    assert "1 GB is 10^9 bytes" in text
    assert re.search(r"all-linear \* +41,943,040", text)
    assert re.search(r"nf4, double quantization \* .* 5\.70$", text, re.MULTILINE)
    assert "Fits 1 x 24 GB (single)" in text
    for launcher in ("ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3"):
        assert launcher in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_columns_of_the_page_line_up(gpu):
    text = page(planned(gpu))
    block = next(part for part in text.split("\n\n") if part.startswith("Peak GB"))
    full = [line for line in block.splitlines() if "single" not in line]
    assert len({len(line) for line in full}) == 1


def test_what_does_not_fit_says_what_to_change(gpu):
    text = page(dataclasses.replace(planned(gpu), fits=False))
    assert "Does not fit 1 x 24 GB (single)" in text
    assert "lower train.batch_size" in text


def test_answers_that_do_not_fit_name_the_batch_that_does(gpu):
    asked = dataclasses.replace(gpu.predict, batch_size=16)
    plan = planned(dataclasses.replace(gpu, predict=asked))
    most = min(each.largest_batch for each in plan.answers.values())
    assert not plan.fits and 0 < most < 16
    text = page(plan)
    assert "Training fits 1 x 24 GB (single)" in text
    assert f"lower predict.batch_size to {most}." in text
    fewer = dataclasses.replace(gpu.predict, batch_size=most)
    assert planned(dataclasses.replace(gpu, predict=fewer)).fits


def test_prompts_behind_examples_are_as_long_as_all_of_them_or_as_the_context(gpu):
    def lengths(few_shot):
        predict = dataclasses.replace(gpu.predict, few_shot=few_shot)
        plan = planned(dataclasses.replace(gpu, predict=predict))
        return [each.setting.length for each in plan.answers.values()]

    assert lengths(0) == [4096 - 512]
    assert lengths(2) == [4096 - 512, 8192 - 512]  # the context, less the answer
    short = dataclasses.replace(gpu.templatize, max_tokens=1024)
    plan = planned(dataclasses.replace(gpu, templatize=short))
    assert [each.setting.length for each in plan.answers.values()] == [512, 512 + 2 * 1024]


def test_a_model_that_no_device_loads_says_so():
    params = preset_params(
        "multi-gpu-llama3-70b-qlora-fsdp", folder=ROOT / "presets", params=ROOT / "params.yaml"
    )
    small = dataclasses.replace(params, plan=dataclasses.replace(params.plan, device_gb=40.0))
    text = page(planned(small, launcher="fsdp"))
    assert "Does not fit 4 x 40 GB (fsdp): 50.76 GB planned per device while loading" in text
    assert max(map(len, text.splitlines()[:-1])) <= 100


def finllm(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "finllm", "plan", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def project(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    return tmp_path


def test_the_command_prints_json_for_scripts_and_changes_nothing(project):
    before = (project / "params.yaml").read_text()
    done = finllm(project, "--preset", "gpu-llama3-8b-qlora", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["trainable"]["all-linear"] == 41_943_040
    assert record["fits"] is True
    parts = sum(record["memory"].values())
    assert record["planned_peak_memory_gb"] == pytest.approx(parts / 1e9)
    assert (project / "params.yaml").read_text() == before


def test_an_unknown_model_ends_in_one_line(project):
    text = (project / "params.yaml").read_text()
    changed = text.replace("name: SmolLM2-135M-Instruct ", "name: acme/unknown ")
    (project / "params.yaml").write_text(changed)
    done = finllm(project)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "acme/unknown" in done.stderr and "known are" in done.stderr


def test_the_plan_needs_no_torch():
    code = (
        "import sys\nfrom finllm.cli import main\n"
        "main(['plan', '--preset', 'gpu-llama3-8b-qlora', '--examples', '10'])\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_explains_the_units_and_gives_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["plan", "--help"])
    text = capsys.readouterr().out
    assert "10^9 bytes" in text and "--preset gpu-llama3-8b-qlora" in text


def test_the_doctors_device_has_to_hold_the_answers_too(gpu, shipped):
    plan = planned(gpu)
    most = max(each.memory.peak for each in plan.answers.values()) / 1e9
    assert planned_answers_gb(gpu, device="cuda") == most
    assert planned_answers_gb(shipped, device="cpu") is None
    unknown = dataclasses.replace(gpu.model, name="nobody/nothing")
    assert planned_answers_gb(dataclasses.replace(gpu, model=unknown), device="cuda") is None
