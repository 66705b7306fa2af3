"""Each look of the doctor at what is in order and at what is broken; a command mends each."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from finllm import cli
from finllm.commands.doctor import examination, machine, models, packages, project
from finllm.commands.doctor.finding import (
    OK,
    PROBLEM,
    WARNING,
    Finding,
    looked_at,
    ok,
    problem,
    warning,
)
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params.yaml")


def states(*found):
    return [one.state for one in found]


# --- the environment


def test_the_pythons_are_those_of_the_project_file():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (low, high), (newest_major, newest_minor) = packages.OLDEST, packages.NEWEST
    assert wanted == f">={low}.{high},<{newest_major}.{newest_minor + 1}"
    old, new = packages.python_version((3, 10, 1)), packages.python_version((3, 14, 0))
    assert states(old, new, packages.python_version((3, 13, 2))) == [PROBLEM, PROBLEM, OK]
    assert "make repro PYTHON=" in old.mend


def test_a_missing_package_is_a_problem_and_another_version_a_warning():
    pinned = packages.pins((ROOT / "requirements.txt").read_text())
    assert pinned["torch"] == "2.13.0" and "-c" not in pinned
    assert packages.packages("packages", pinned, installed=pinned.get).state == OK
    found = packages.packages("packages", pinned, installed=(pinned | {"peft": None}).get)
    assert found.state == PROBLEM and "peft" in found.says and "pip install" in found.mend
    found = packages.packages("packages", pinned, installed=(pinned | {"trl": "0.9"}).get)
    assert found.state == WARNING and "trl 0.9 instead of 1.16.0" in found.says


def test_a_build_for_the_cpu_is_at_its_pin_and_a_package_that_is_none_has_no_version(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0+cpu")
    assert packages.installed_version("torch") == "2.13.0"
    monkeypatch.undo()
    assert packages.installed_version("no-such-package-here") is None


def test_a_gpu_that_torch_cannot_use_is_said():
    blind = packages.torch_build("2.13.0+cpu", cuda=None, n_gpus=0, has_driver=True)
    assert blind.state == WARNING and blind.mend.endswith("torch==2.13.0")
    hidden = packages.torch_build("2.13.0", cuda="12.8", n_gpus=0, has_driver=True)
    assert (hidden.state, hidden.mend) == (WARNING, "nvidia-smi")
    plain = packages.torch_build("2.13.0+cpu", cuda=None, n_gpus=0, has_driver=False)
    assert states(plain) == [OK]


def test_a_quantizer_that_garbles_weights_is_a_problem():
    good = packages.quantizer("0.50", "nf4", 0.09)
    assert good == ok("bitsandbytes", "0.50; a matrix quantized to nf4 and back differs by 9.0%")
    assert packages.quantizer("0.50", "none", None).state == OK
    broken = packages.quantizer("0.50", "nf4", float("nan"))
    assert broken.state == PROBLEM and "quantization=none" in broken.mend


# --- the machine


def test_a_training_that_does_not_fit_is_a_problem():
    assert machine.device([], 24.0, planned_gb=2.9).state == OK
    assert machine.device([], 24.0, planned_gb=None).state == OK
    small = machine.device([("A10", 24.0), ("A10", 22.0)], 64.0, planned_gb=23.0)
    assert small.state == PROBLEM and "2 x A10 with 22.0 GB" in small.says
    assert "train.batch_size=1" in small.mend


def test_what_only_a_gpu_has_is_a_problem_without_one():
    assert machine.needs_gpu("adamw", "bfloat16", 0).state == OK
    assert machine.needs_gpu("paged_adamw_8bit", "float16", 1).state == OK
    found = machine.needs_gpu("paged_adamw_8bit", "float16", 0)
    assert found.state == PROBLEM and "paged_adamw_8bit, model.compute_dtype" in found.says


def test_a_container_has_the_memory_that_it_may_use(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CGROUP", limit)
    whole = machine.memory_gb()
    limit.write_text("max\n")
    assert machine.memory_gb() == whole > 0.1
    limit.write_text("50000000\n")
    assert machine.memory_gb() == 0.05


def test_a_processor_without_bfloat16_is_a_warning_where_it_matters():
    flags = machine.cpu_flags("processor: 0\nflags\t\t: fpu avx512_bf16 amx_bf16\n\nprocessor: 1\n")
    good = machine.cpu_features(flags, compute_dtype="bfloat16", multiplies=True)
    assert good.state == OK and "AVX512-BF16 and AMX" in good.says
    old = {"flags": machine.cpu_flags("flags : avx2\n"), "multiplies": False}
    found = machine.cpu_features(**old, compute_dtype="bfloat16")
    assert found.state == WARNING and found.mend == "dvc exp run -S model.compute_dtype=auto"
    assert machine.cpu_features(**old, compute_dtype="float32").state == OK
    assert machine.cpu_features(**old, compute_dtype="bfloat16", n_gpus=1).state == OK


def test_the_doctor_says_what_auto_is_and_why():
    flags = frozenset({"avx512_bf16"})
    fast = machine.cpu_features(flags, compute_dtype="auto", multiplies=True)
    assert fast.says == "bfloat16 products by AVX512-BF16: model.compute_dtype auto is bfloat16"
    hidden = machine.cpu_features(flags, compute_dtype="auto", multiplies=False, limit="AVX2")
    assert hidden.state == OK and hidden.says == (
        "no bfloat16 products under ONEDNN_MAX_CPU_ISA=AVX2: model.compute_dtype auto is float32"
    )
    old = machine.cpu_features(frozenset(), compute_dtype="auto", multiplies=False)
    assert "no AVX512-BF16, AMX or SVE-BF16" in old.says and old.says.endswith("is float32")


def test_threads_are_as_many_as_cores():
    assert machine.threads(8, 8, "").state == OK
    assert machine.threads(1, 1, "").says == "1 torch thread on 1 core"
    idle, crowded = machine.threads(8, 1, "1"), machine.threads(2, 16, "")
    assert states(idle, crowded) == [WARNING, WARNING]
    assert idle.mend == "export OMP_NUM_THREADS=8" and "OMP_NUM_THREADS is 1" in idle.says


def test_a_full_disk_and_one_that_cannot_be_written_are_problems(tmp_path, monkeypatch):
    missing = tmp_path / "not" / "yet" / "made"
    room = {"total": 100e9, "used": 50e9}

    def free(gb):
        usage = shutil._ntuple_diskusage(**room, free=gb * 1e9)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        return machine.disk("disk", missing, mend="make room")

    assert states(free(50), free(3), free(0.2)) == [OK, WARNING, PROBLEM]
    assert free(0.2).mend == "make room" and not missing.exists()

    def read_only(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    found = free(50)
    assert found.state == PROBLEM and "Read-only file system" in found.says


# --- the parameters and the data


def test_a_wrong_parameter_is_said_and_stops_what_depends_on_it(tmp_path):
    found, params = examination.parameters(ROOT / "params.yaml")
    assert found.state == OK and params == PARAMS
    text = (ROOT / "params.yaml").read_text().replace("  r: 16 ", "  r: many ")
    (tmp_path / "params.yaml").write_text(text)
    found, params = examination.parameters(tmp_path / "params.yaml")
    assert params is None and found.state == PROBLEM and "lora.r is 'many'" in found.says
    assert "git diff" in found.mend
    assert examination.parameters(tmp_path / "no.yaml")[0].state == PROBLEM


def test_sources_that_are_unknown_or_broken_are_problems(tmp_path):
    assert project.source("data.source", "sample", tmp_path).state == OK  # a stage writes it
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "source.yaml").write_text("format: text\nname_pattern: '^'\n")
    found = project.source("data.source", "mien", tmp_path)
    assert found.state == PROBLEM and "'mien'" in found.says and "mine, sample" in found.says
    assert found.mend == "dvc exp run -S data.source=sample"
    assert project.source("data.transfer_source", "no", tmp_path).mend.endswith("=none")
    empty = project.source("data.source", "mine", tmp_path)
    assert empty.state == PROBLEM and "no text records" in empty.says
    (tmp_path / "mine" / "a.txt").write_text("")
    assert project.source("data.source", "mine", tmp_path).state == WARNING
    (tmp_path / "mine" / "a.txt").write_text("Revenue rose 12% to $4 billion.")
    read = project.source("data.source", "mine", tmp_path)
    assert read.state == OK and "first call a" in read.says
    (tmp_path / "mine" / "source.yaml").write_text("format: poetry\n")
    assert "format 'poetry'" in project.source("data.source", "mine", tmp_path).says
    (tmp_path / "mine" / "source.yaml").unlink()
    assert "source.yaml: missing" in project.source("data.source", "mine", tmp_path).says


# --- the models


def test_a_model_in_a_package_or_a_folder(tmp_path):
    m = PARAMS.model
    there = models.packaged("model", m.gguf_package, m.gguf_file)
    gone = models.packaged("model", "llm_no_such", "x.gguf")
    other = models.packaged("model", m.gguf_package, "other.gguf")
    assert states(there, gone, other) == [OK, PROBLEM, PROBLEM]
    assert "requirements-models.txt" in gone.mend and "no other.gguf" in other.says
    found = models.model("model", str(tmp_path), package="", file="", revision="")
    assert found.state == PROBLEM and "config.json, tokenizer.json, *.safetensors" in found.says
    for file in ("config.json", "tokenizer.json", "model-00001-of-00002.safetensors"):
        (tmp_path / file).write_text("{}")
    assert models.model("model", str(tmp_path), package="", file="", revision="").state == OK
    assert models.model("model", "SmolLM3", package="", file="", revision="").state == PROBLEM


@pytest.mark.parametrize(
    ("answer", "says", "mend"),
    [
        (models.GATED, "accept its licence", "hf auth login"),
        (models.UNKNOWN, "no such model", "git diff params.yaml"),
        ("ConnectError: no route", "cannot be reached: ConnectError", "hf download meta/Llama"),
    ],
)
def test_what_the_hub_answers_is_a_problem_with_its_own_command(answer, says, mend):
    found = models.on_hub(
        "model",
        "meta/Llama",
        "8afb486c1db2",
        cached=False,
        offline=False,
        has_token=False,
        ask=lambda: answer,
    )
    assert found.state == PROBLEM and says in found.says and found.mend.startswith(mend)


def test_a_cached_model_is_not_asked_for_and_offline_forbids_it():
    def never():
        raise AssertionError("the Hub was asked")

    common = {"has_token": True, "ask": never}
    cached = models.on_hub("model", "a/b", "", cached=True, offline=True, **common)
    offline = models.on_hub("model", "a/b", "123", cached=False, offline=True, **common)
    assert states(cached, offline) == [OK, PROBLEM]
    assert offline.mend == "env -u HF_HUB_OFFLINE hf download a/b --revision 123"
    gated = {"cached": False, "offline": False, "has_token": True, "ask": lambda: models.GATED}
    assert models.on_hub("model", "a/b", "", **gated).mend == "hf download a/b"
    found = models.on_hub("model", "a/b", "", **gated | {"ask": lambda: ""})
    assert found.state == OK


def test_a_model_that_is_not_cached_is_a_problem_offline():
    found = models.model("model", "acme/no-such-model", package="", file="", revision="")
    assert found.state == PROBLEM and "HF_HUB_OFFLINE" in found.says  # conftest is offline


def test_layers_that_are_not_fused_say_what_to_change():
    assert models.fused_layers(PARAMS, "", 0).state == OK
    assert models.fused_layers(PARAMS, "any reason", 1).state == OK  # a GPU
    eager = dataclasses.replace(PARAMS.model, attention="eager", compute_dtype="float16")
    params = dataclasses.replace(PARAMS, model=eager)
    found = models.fused_layers(params, "the reason", 0)
    assert found.state == WARNING and found.says.endswith("the reason")
    assert found.mend == "dvc exp run -S model.compute_dtype=auto -S model.attention=auto"


# --- the pipeline


def test_a_folder_without_dvc_is_a_problem(tmp_path):
    assert "no dvc.yaml" in project.repository(tmp_path, has_git=True).says
    (tmp_path / "dvc.yaml").touch()
    found = project.repository(tmp_path, has_git=True)
    assert (found.state, found.mend) == (PROBLEM, "dvc init")
    (tmp_path / ".dvc").mkdir()
    assert project.repository(tmp_path, has_git=True).state == WARNING
    (tmp_path / ".git").mkdir()
    found = [project.repository(tmp_path, has_git=has_git) for has_git in (True, False)]
    assert states(*found) == [OK, WARNING]


def test_the_state_of_the_pipeline_is_what_dvc_status_says():
    fresh = {
        "sample": [{"changed outs": {"data/raw/sample": "not in cache"}}],
        "report": [{"changed deps": {"data/raw/sample": "deleted"}}, "always changed"],
    }
    edited = {"train": [{"changed deps": {"params.yaml": {"lora.r": "modified"}}}]}
    found = [
        project.pipeline(0, json.dumps(status), "", has_remote=has_remote)
        for status, has_remote in (({}, False), (fresh, False), (fresh, True), (edited, True))
    ]
    assert states(*found) == [OK, WARNING, WARNING, WARNING]
    assert [one.mend for one in found] == ["", "dvc repro", "dvc pull", "dvc repro"]
    assert "are missing: sample, report" in found[1].says and "train" in found[3].says
    failed = project.pipeline(255, "", "warn\nERROR: no lock\n", has_remote=False)
    assert failed.state == PROBLEM and "ERROR: no lock" in failed.says
    assert project.pipeline(0, "not json", "", has_remote=False).state == PROBLEM


def test_remotes_that_are_missing_or_not_the_default_are_warnings(tmp_path):
    (tmp_path / ".dvc").mkdir()
    config = project.listed("core.analytics=false\nremote.store.url=../store\n")
    named = config | {"core.remote": "store"}
    found = [project.remote(one, tmp_path) for one in ({}, config, named)]
    assert states(*found) == [OK, WARNING, WARNING]
    assert found[1].mend == "dvc remote default store"
    dotted = project.remote({"remote.my.store.url": "s3://b/c"}, tmp_path)
    assert dotted.mend == "dvc remote default my.store"
    (tmp_path / "store").mkdir()
    assert project.remote(named, tmp_path).state == OK
    assert project.remote(named | {"remote.store.url": "s3://b/c"}, tmp_path).state == OK


def test_dvc_that_is_not_installed_or_does_not_answer(tmp_path, monkeypatch):
    code, _, errors = project.ask_dvc(tmp_path, "status", "--json")
    assert code and "not inside of a DVC repository" in errors

    def broken(*_, **__):
        return subprocess.CompletedProcess([], 1, "", "python: No module named dvc")

    monkeypatch.setattr(subprocess, "run", broken)
    found = looked_at("pipeline", lambda: ok("pipeline", project.ask_dvc(tmp_path, "root")[1]))
    assert found.state == PROBLEM and "pip install" in found.mend

    def slow(*_, **__):
        raise subprocess.TimeoutExpired([], 1)

    monkeypatch.setattr(subprocess, "run", slow)
    assert "no answer" in project.ask_dvc(tmp_path, "status")[2]


# --- all of it


def test_a_look_that_fails_is_a_problem_and_not_the_end():
    def missing():
        raise ImportError("No module named 'torch'")

    found = looked_at("torch", missing)
    assert found.state == PROBLEM and "'torch'" in found.says and "pip install" in found.mend
    assert looked_at("x", lambda: 1 / 0).says == "check failed: division by zero"


def test_a_finding_is_a_line_and_the_command_below_it():
    bad = problem("data", "no such folder", "ls")
    plain, coloured = (examination.line(bad, colour=colour) for colour in (False, True))
    assert plain.splitlines()[1].strip() == "fix: ls" and plain.startswith("problem  data ")
    assert coloured.replace("\x1b[31m", "").replace("\x1b[0m", "") == plain != coloured
    assert len(examination.line(ok("data", "there"), colour=False).splitlines()) == 1
    counts = examination.summary([bad, bad, ok("a", "b"), warning("c", "d", "e")])
    assert counts == "1 ok, 1 warning, 2 problems"


def test_problems_are_exit_code_1_and_json_says_the_same(monkeypatch, capsys):
    good, bad = ok("python", "3.11"), problem("data", "gone", "ls")
    monkeypatch.setattr(examination, "examine", lambda *_: iter([good, bad]))
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor", "--json"])
    assert end.value.code == 1
    record = json.loads(capsys.readouterr().out)
    assert not record["healthy"]
    assert [Finding(**row) for row in record["findings"]] == [good, bad]
    monkeypatch.setattr(examination, "examine", lambda *_: iter([good]))
    cli.main(["doctor"])
    assert capsys.readouterr().out.splitlines()[-1] == "1 ok, 0 warnings, 0 problems"


def test_the_command_in_a_broken_folder_names_all_that_is_wrong(tmp_path):
    """The real looks, in a folder with wrong parameters and without DVC."""
    text = (ROOT / "params.yaml").read_text().replace("  source: sample ", "  sauce: sample ")
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "requirements.txt").write_text("no-such-package==1.0\n")
    done = subprocess.run(
        [sys.executable, "-m", "finllm", "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)["findings"]}
    bad = {name for name, row in found.items() if row["state"] == PROBLEM}
    assert {"packages", "parameters", "dvc"} <= bad
    assert "unknown key data.sauce" in found["parameters"]["says"]
    assert all(found[name]["mend"] for name in bad)
    assert not list(tmp_path.glob("[!pr]*"))  # nothing was written
