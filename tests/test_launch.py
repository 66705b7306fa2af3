"""The training stage on two processes: the losses of one process with the same effective batch.

Run as a script, this file is the training stage, and kills itself while it writes a checkpoint.
"""

import csv
import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import FullyShardedDataParallelPlugin
from conftest import make_example, tiny_llama
from ruamel.yaml import YAML
from safetensors.torch import load_file

from finllm.records import write_jsonl
from finllm.settings.params import load_params
from finllm.training import launch, run
from finllm.training.arguments import training_arguments
from finllm.training.distributed import reduce_in_float32
from finllm.training.evaluation import unlabel, without_repeats

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "presets" / "accelerate"
N_TRAIN = 17  # the last step has one example left: one process trains on it, the other on nothing


@pytest.fixture(scope="module")
def folder(tmp_path_factory, chatml):
    """A tiny model with its tokenizer, and examples of different lengths."""
    root = tmp_path_factory.mktemp("launch")
    tiny_llama().save_pretrained(root / "model")
    chatml.save_pretrained(root / "model")
    rows = [
        make_example(
            f"t{i}:summarization",
            excerpt="Revenue grew 12%. " * (1 + i % 5),
            answer=f"Revenue rose {i}%." + " Margin fell." * (i % 3),
        )
        for i in range(N_TRAIN + 5)
    ]
    write_jsonl(root / "train.jsonl", rows[:N_TRAIN])
    write_jsonl(root / "val.jsonl", rows[N_TRAIN:])
    return root


def run_stage(folder: Path, name: str, model: dict | None = None, **train: object):
    """The finished process of ``stages.train`` in its own folder, and that folder."""
    work = folder / name
    write_params(work, folder, model, **train)
    return run_again(work), work


def write_params(work: Path, folder: Path, model: dict | None = None, **train: object) -> None:
    work.mkdir()
    params = YAML().load(ROOT / "params.yaml")
    params["model"].update(
        name=str(folder / "model"), gguf_package="", gguf_file="", quantization="none"
    )
    params["model"].update({"compute_dtype": "float32", **(model or {})})
    params["lora"].update(dropout=train.pop("dropout", 0.0), r=4)
    settings = {"max_steps": 5, "evals_per_run": 5, "checkpoint_every": 0, **train}
    params["train"].update(batch_size=2, accumulation=1, learning_rate=1e-2)
    params["train"].update(early_stopping_patience=0, **settings)
    YAML().dump(params, work / "params.yaml")


def run_again(work: Path, *command: str):
    """The finished process of ``stages.train``, or another command with the same arguments."""
    arguments = f"--train ../train.jsonl --val ../val.jsonl --launchers {CONFIGS}"
    arguments += " --adapter adapter --curves curves --metrics metrics.json"
    arguments += " --costs costs.json --steps steps.csv"
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, *(command or ("-m", "stages.train")), *arguments.split()],
        cwd=work,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
            "FINLLM_CHECKPOINTS": str(work / "kept"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def curve(work: Path, name: str) -> list[float]:
    with open(work / "curves/plots/metrics" / f"{name}.tsv") as file:
        return [float(row["loss_nats"]) for row in csv.DictReader(file, delimiter="\t")]


@pytest.fixture(scope="module")
def alone(folder):
    done, work = run_stage(folder, "single", accumulation=2)
    assert done.returncode == 0, done.stderr
    return work


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "held"), [("ddp", "100%"), ("fsdp", "50%")])
def test_two_processes_have_the_losses_of_one(folder, alone, launcher, held):
    done, work = run_stage(folder, launcher, launcher=launcher, devices=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("effective batch 4 examples, 5 steps") == 1  # one process prints
    assert f"2 processes ({launcher}), each with {held} of the weights" in done.stdout
    for name in ("train/loss_nats", "val/loss_nats"):
        assert curve(work, name) == pytest.approx(curve(alone, name), abs=1e-3)
    ours, theirs = (load_file(w / "adapter/adapter_model.safetensors") for w in (work, alone))
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, atol=1e-3, rtol=0)
    metrics = json.loads((work / "metrics.json").read_text())
    assert metrics["effective_batch_size"] == 4
    assert metrics["best_val_loss_nats"] < metrics["initial_val_loss_nats"] - 1


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ddp", "fsdp"])
def test_two_processes_go_on_after_a_kill_to_the_same_adapter(folder, launcher):
    settings = {"launcher": launcher, "devices": 2, "dropout": 0.1, "max_steps": 7}
    whole, uninterrupted = run_stage(folder, f"{launcher}-whole", **settings)
    assert whole.returncode == 0, whole.stderr
    work = folder / f"{launcher}-killed"
    write_params(work, folder, **settings, checkpoint_every=2)
    killed = run_again(work, str(Path(__file__)), launcher)
    assert killed.returncode == 1 and "process 0 of 2 ended with code -9" in killed.stderr
    (run,) = (work / "kept").iterdir()
    written = sorted(path.name for path in run.iterdir())
    assert written == ["step-000002", "step-000004", "step-000006.tmp"]
    again = run_again(work)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("training resumes from step 4") == 1
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (work / "adapter" / name).read_bytes() == (
            uninterrupted / "adapter" / name
        ).read_bytes()
    found, expected = (json.loads((w / "metrics.json").read_text()) for w in (work, uninterrupted))
    assert found == expected
    assert json.loads((work / "costs.json").read_text())["cost"]["n_resumes"] == 1
    assert not run.exists()


@pytest.mark.slow
def test_an_error_of_two_processes_is_said_once(folder):
    (folder / "long").mkdir(exist_ok=True)
    done, work = run_stage(folder, "diverged", launcher="ddp", devices=2, learning_rate=1.0,
                           max_grad_norm=1e9, optimizer="paged_adamw_8bit")  # fmt: skip
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("train: ")]
    assert len(lines) == 1 and "paged_adamw_8bit" in lines[0]
    assert "Traceback" not in done.stderr
    assert not (work / "adapter").exists() and not (work / "metrics.json").exists()


def test_a_launcher_for_one_device_is_no_launch():
    assert launch.n_processes("single", 0) == 1
    if not torch.cuda.is_available():
        assert launch.n_processes("fsdp", 0) == 1
        assert launch.n_processes("ddp", 3) == 3


def test_more_devices_than_the_launcher_takes_is_an_error():
    with pytest.raises(ValueError, match="train.devices is 2 and train.launcher is single"):
        launch.n_processes("single", 2)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_fsdp_reduces_gradients_and_leaves_the_loss_in_float32(precision):
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    plugin.set_mixed_precision(precision)
    assert plugin.mixed_precision_policy.output_dtype in (torch.bfloat16, torch.float16)
    accelerator = SimpleNamespace(is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=plugin))
    reduce_in_float32(accelerator)
    policy = plugin.mixed_precision_policy
    assert policy.reduce_dtype == torch.float32
    assert policy.output_dtype is None and policy.param_dtype is None


def test_a_missing_deepspeed_is_said_in_words(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="DeepSpeed is not installed"):
        launch.n_processes("deepspeed-zero2", 0)


def test_repeated_examples_lose_their_labels():
    labels = torch.tensor([[1], [2], [3], [4]])
    assert unlabel(labels[2:], n_real=3, rank=1).tolist() == [[3], [-100]]
    assert unlabel(labels[:2], n_real=3, rank=0).tolist() == [[1], [2]]
    assert unlabel(labels[2:], n_real=1, rank=1).tolist() == [[-100], [-100]]


@pytest.mark.parametrize(("rank", "expected"), [(0, [[1], [2]]), (1, [[3], [-100]])])
def test_only_the_last_round_over_the_data_has_repeats(rank, expected):
    def labels(*, last: bool, n_examples: int) -> list:
        state = SimpleNamespace(end_of_dataloader=last, remainder=-1)  # as after a resume
        accelerator = SimpleNamespace(num_processes=2, process_index=rank, gradient_state=state)
        inputs = {"labels": torch.tensor([[1], [2]] if rank == 0 else [[3], [4]])}
        return without_repeats(accelerator, inputs, n_examples=n_examples)["labels"].tolist()

    assert labels(last=True, n_examples=19) == expected
    whole = [[1], [2]] if rank == 0 else [[3], [4]]
    assert labels(last=False, n_examples=19) == whole
    assert labels(last=True, n_examples=20) == labels(last=True, n_examples=0) == whole


@pytest.mark.parametrize("launcher", launch.LAUNCHERS[1:])
def test_every_launcher_has_a_config_that_accelerate_reads(launcher):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(CONFIGS / f"{launcher}.yaml"))
    kind = {"ddp": "MULTI_GPU", "fsdp": "FSDP"}.get(launcher, "DEEPSPEED")
    assert config.distributed_type == kind
    if kind == "DEEPSPEED":
        assert (ROOT / config.deepspeed_config["deepspeed_config_file"]).is_file()


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeeds_configs_name_their_stage_and_leave_sizes_to_the_trainer(stage):
    from accelerate.utils.deepspeed import HfDeepSpeedConfig

    config = HfDeepSpeedConfig(str(CONFIGS / f"deepspeed-zero{stage}.json"))
    assert config.is_zero2() if stage == 2 else config.is_zero3()
    assert not config.is_offload()
    for key in ("train_batch_size", "gradient_clipping", "bf16.enabled"):
        assert config.get_value(key) == "auto"


@pytest.mark.parametrize("stage", [2, 3])
@pytest.mark.filterwarnings("ignore")  # of DeepSpeed's own imports
def test_deepspeeds_own_parser_takes_the_config_as_accelerate_fills_it_in(stage, tmp_path):
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed (pip install deepspeed)")
    from deepspeed.runtime.config import DeepSpeedConfig
    from transformers.integrations.deepspeed import (
        HfTrainerDeepSpeedConfig,
        unset_hf_deepspeed_config,
    )

    arguments = training_arguments(
        output_dir=str(tmp_path),
        n_train=100,
        learning_rate=1e-3,
        warmup_share=0.1,
        schedule="cosine",
        epochs=1.0,
        max_steps=5,
        batch_size=2,
        accumulation=3,
        max_grad_norm=0.7,
        weight_decay=0.0,
        optimizer="adamw",
        evals_per_run=1,
        seed=1,
        bfloat16=True,
    )
    config = HfTrainerDeepSpeedConfig(str(CONFIGS / f"deepspeed-zero{stage}.json"))
    try:
        config.trainer_config_process(arguments)
        config.trainer_config_finalize(arguments, tiny_llama(), 5)
        assert "auto" not in json.dumps(config.config)
        read = DeepSpeedConfig(config.config)
    finally:
        unset_hf_deepspeed_config()
    assert read.zero_config.stage == stage and read.zero_optimization_stage == stage
    assert (read.train_batch_size, read.gradient_accumulation_steps) == (6, 3)
    assert read.gradient_clipping == 0.7
    assert read.zero_allow_untested_optimizer  # the trainer's AdamW is none of DeepSpeed's own


def test_deepspeed_writes_no_checkpoints_and_says_so(monkeypatch, capsys):
    params = load_params(ROOT / "params.yaml")
    sets = run.Sets(train=[], val=[])
    for launcher, expected in (("deepspeed-zero2", None), ("fsdp", run.Checkpointer)):
        train = dataclasses.replace(params.train, launcher=launcher, devices=2)
        monkeypatch.setenv("LOCAL_RANK", "0")
        made = run._checkpointer(dataclasses.replace(params, train=train), "folder", sets)
        assert made is None if expected is None else isinstance(made, expected)
    said = capsys.readouterr().out
    assert (
        said.count("no checkpoints under deepspeed-zero2") == 1
        and "restarts from its first step" in said
    )


def main() -> None:
    """The launcher; in each process that it starts, the stage with a kill at the sixth step."""
    from finllm.training import checkpoints
    from stages import adapter, train

    if not launch.launched():
        launcher, *arguments = sys.argv[1:]
        adapter.run(
            lambda: launch.launch(
                "test_launch", arguments, config=CONFIGS / f"{launcher}.yaml", n=2
            )
        )
        return
    write = checkpoints._write

    def half(path: Path, content: bytes) -> None:
        if "step-000006" in str(path):
            write(path, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, content)

    checkpoints._write = half
    adapter.run(train.main)


if __name__ == "__main__":
    main()
