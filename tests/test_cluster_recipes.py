"""The recipes of presets/cluster are scripts that parse, and start what they say."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm import cli
from finllm.settings.presets import preset_names

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "presets" / "cluster"
SLURM = FOLDER / "slurm-array.sbatch"
SKY = sorted(FOLDER.glob("*.yaml"))
KEYS = {"name", "resources", "num_nodes", "workdir", "envs", "secrets", "setup", "run"}


def parses(script):
    """What bash says against a script, without running it."""
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    return done.stderr


def test_there_is_a_recipe_for_slurm_for_one_gpu_and_for_ray():
    assert [path.name for path in SKY] == ["sky-gpu.yaml", "sky-ray.yaml"] and SLURM.is_file()


@pytest.mark.parametrize("path", SKY, ids=lambda path: path.name)
def test_a_sky_task_has_sections_of_sky_whose_scripts_parse(path):
    task = YAML(typ="safe").load(path)
    assert set(task) <= KEYS and {"resources", "setup", "run"} <= set(task)
    for section in ("setup", "run"):
        assert parses(task[section]) == ""
    called = re.findall(r"python -m finllm (.+)", task["run"])
    assert called
    for words in map(shlex.split, called):
        cli.parser().parse_args(words)
        if words[0] == "preset":
            assert words[1] in preset_names(ROOT / "presets")
    for file in re.findall(r"[\w-]+\.(?:sh|txt)\b", task["setup"]):
        assert (ROOT / file).is_file(), file


@pytest.fixture
def submitted(tmp_path):
    """A project with a dvc that writes what it was asked, and the script as Slurm starts it."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text(f'PATH="{tmp_path}/.venv/bin:$PATH"\n')
    dvc = tmp_path / ".venv/bin/dvc"
    dvc.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > asked\n')
    dvc.chmod(0o755)
    (tmp_path / "list.txt").write_text("-S lora.r=8\n-S lora.r=32  -S train.learning_rate=1e-4\n")

    def go(task):
        slurm = {"SUBMIT_DIR": str(tmp_path), "ARRAY_TASK_ID": str(task), "ARRAY_JOB_ID": "7"}
        return subprocess.run(
            ["bash", str(SLURM), "list.txt"],
            env={"PATH": "/usr/bin:/bin", **{f"SLURM_{key}": v for key, v in slurm.items()}},
            capture_output=True,
            text=True,
            check=False,
        )

    return tmp_path, go


def test_a_task_of_the_array_runs_the_experiment_of_its_line(submitted):
    folder, go = submitted
    done = go(2)
    assert done.returncode == 0, done.stderr
    words = (folder / "asked").read_text().split()
    assert words[:5] == ["exp", "run", "--temp", "--name", "slurm-7-2"]
    assert words[5:] == ["-S", "lora.r=32", "-S", "train.learning_rate=1e-4"]


def test_a_task_without_a_line_says_how_many_there_are(submitted):
    folder, go = submitted
    done = go(3)
    assert done.returncode == 1 and not (folder / "asked").exists()
    assert done.stderr.strip() == "list.txt has no line 3; submit with --array=1-2"
