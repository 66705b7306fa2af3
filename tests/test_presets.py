import ast
import dataclasses
import shlex
import shutil
from pathlib import Path

import pytest

from finllm.commands.plan.plan_text import page
from finllm.planning.plan_request import plan_params
from finllm.settings.params import load_params
from finllm.settings.presets import apply_preset, preset_names, preset_params

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "presets"
LAUNCHERS = {  # of the presets for several devices
    "multi-gpu-llama3-70b-qlora-fsdp": "fsdp",
    "multi-gpu-llama3.1-70b-multilingual": "fsdp",
}


@pytest.fixture
def params(tmp_path):
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_preset_makes_a_valid_params_file_and_keeps_its_comments(name, params):
    before = params.read_text()
    apply_preset(name, folder=PRESETS, params=params)
    load_params(params)
    assert params.read_text().count("#") == before.count("#")
    assert apply_preset(name, folder=PRESETS, params=params) == []


def planned(name, *, launcher="", **prefer):
    params = preset_params(name, folder=PRESETS, params=ROOT / "params.yaml")
    return plan_params(
        dataclasses.replace(params, prefer=dataclasses.replace(params.prefer, **prefer)),
        launcher=launcher or LAUNCHERS.get(name, ""),
        devices=0,
        examples=1000,
        tokens_per_second=0.0,
        train_set=None,
        metrics=None,
    )


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_preset_fits_the_device_that_it_names(name):
    plan = planned(name)
    assert plan.fits, page(plan)
    assert plan.memory.peak > 0.2 * plan.device_gb * 1e9  # a device that is no idle boast


@pytest.mark.parametrize("name", [name for name in preset_names(PRESETS) if "gpu-" in name])
def test_on_a_gpu_preference_tuning_takes_32_pairs_a_step_at_a_low_rate_and_fits_one_device(name):
    p = preset_params(name, folder=PRESETS, params=ROOT / "params.yaml").prefer
    assert (p.learning_rate, p.batch_size * p.accumulation) == (5e-6, 32)
    for method in ("dpo", "kto"):
        plan = planned(name, method=method)
        assert plan.preferred is not None and plan.fits, page(plan)


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_stage_of_every_preset_is_started_as_its_script_expects(name, tmp_path):
    from dvc.repo import Repo

    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    apply_preset(name, folder=PRESETS, params=tmp_path / "params.yaml")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        commands = {stage.name: stage.cmd for stage in repo.index.stages}
    assert {"train", "predict@base", "predict@tuned", "report"} <= commands.keys()
    for stage, command in commands.items():
        python, module_flag, module, *words = shlex.split(command)
        assert (python, module_flag) == ("python", "-m"), command
        assert "$" not in command, f"{stage}: a parameter is not filled in"
        if stage == "publish":  # a list of files, which tests/test_pipeline.py compares
            continue
        flags = {word.removeprefix("--") for word in words[::2]}
        assert all(word.startswith("--") for word in words[::2]), command
        assert not any(word.startswith("--") for word in words[1::2]), command
        assert flags == paths_of(ROOT / f"{module.replace('.', '/')}.py"), stage


def paths_of(script):
    """The names that a stage's script gives to ``adapter.paths``."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "adapter.paths":
            parts = [part for argument in node.args for part in ast.walk(argument)]
            return {part.value for part in parts if isinstance(part, ast.Constant)}
    raise AssertionError(f"{script} takes no paths")


def test_the_llama_preset_says_what_the_method_asks_for():
    params = preset_params("gpu-llama3-8b-qlora", folder=PRESETS, params=ROOT / "params.yaml")
    m, p = params.model, params.train
    assert m.name == "meta-llama/Meta-Llama-3-8B-Instruct" and len(m.revision) == 40
    assert (m.quantization, m.double_quantization, m.compute_dtype) == ("nf4", True, "bfloat16")
    assert p.optimizer == "paged_adamw_8bit"
    assert params.templatize.max_tokens == 4096
    assert p.batch_size * p.accumulation == 32


def test_the_70b_trains_in_effective_batches_of_32_and_40_gb_neither_load_it_nor_answer():
    name = "multi-gpu-llama3-70b-qlora-fsdp"
    p = preset_params(name, folder=PRESETS, params=ROOT / "params.yaml")
    assert p.train.batch_size * p.train.accumulation * p.plan.devices == 32
    plan = planned(name)
    answering = [each.memory.peak for each in plan.answers.values()]
    assert plan.memory.peak < 40e9 < min(plan.loading, *answering)
    assert plan.loading == pytest.approx(40e9 + 10e9, rel=0.03)  # whole, and a quarter of it


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("gpu-llama3.1-8b-multilingual", "gpu-llama3-8b-qlora"),
        ("multi-gpu-llama3.1-70b-multilingual", "multi-gpu-llama3-70b-qlora-fsdp"),
    ],
)
def test_a_multilingual_preset_differs_in_the_model_alone(name, other):
    own, like = (
        preset_params(n, folder=PRESETS, params=ROOT / "params.yaml") for n in (name, other)
    )
    assert own.model.name.startswith("meta-llama/Llama-3.1-") and len(own.model.revision) == 40
    same = dataclasses.replace(own.model, name=like.model.name, revision=like.model.revision)
    assert dataclasses.replace(own, model=same) == like


def test_the_default_preset_is_what_the_repository_ships(params):
    assert apply_preset("cpu-smollm2", folder=PRESETS, params=params) == []


def test_presets_come_back_to_the_default(params):
    before = load_params(params)
    apply_preset("cpu-smollm2-ectsum", folder=PRESETS, params=params)
    assert load_params(params) != before
    apply_preset("cpu-smollm2", folder=PRESETS, params=params)
    assert load_params(params) == before


def test_an_unknown_preset_names_those_that_there_are(params):
    with pytest.raises(ValueError, match="cpu-smollm2-ectsum"):
        apply_preset("cpu-smolm2", folder=PRESETS, params=params)


def test_a_preset_with_an_unknown_key_changes_nothing(params, tmp_path):
    before = params.read_text()
    (tmp_path / "bad.yaml").write_text("lora: {rnak: 8}\n")
    with pytest.raises(ValueError, match=r"lora\.rnak"):
        apply_preset("bad", folder=tmp_path, params=params)
    assert params.read_text() == before


def test_a_preset_with_a_forbidden_value_changes_nothing(params, tmp_path):
    before = params.read_text()
    (tmp_path / "bad.yaml").write_text("lora: {r: 0}\n")
    with pytest.raises(ValueError, match=r"lora\.r is 0"):
        apply_preset("bad", folder=tmp_path, params=params)
    assert params.read_text() == before
