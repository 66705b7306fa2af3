"""What the commands print for a reviewer: it fits 100 columns, and mistakes are named in a line."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_call, make_example

from finllm import cli
from finllm.commands.files import check_output
from finllm.commands.score.score_predictions import Estimate, Outside, show
from finllm.commands.study.plan import as_text
from finllm.commands.verdict import made_with
from finllm.records import write_jsonl

ROOT = Path(__file__).parents[1]
PARAMS = str(ROOT / "params.yaml")


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Run a command in a folder with params.yaml and presets; return exit code and all output."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def said(*arguments: str) -> tuple[int | str | None, str]:
        try:
            cli.main(list(arguments))
            code = 0
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        message = code if isinstance(code, str) else ""
        return (1 if message else code), printed.out + printed.err + message

    return said


def refuses(said, *arguments: str, code: int = 1) -> str:
    """The command's message, which is one line."""
    ended, text = said(*arguments)
    assert ended == code and "Traceback" not in text, text
    assert len(text.strip().splitlines()) == 1, text
    return text.strip()


# --- help


@pytest.mark.parametrize("columns", [60, 100])
def test_the_help_is_as_wide_as_the_terminal(said, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, text = said("doctor", "--help")
    assert max(map(len, text.splitlines())) <= columns


def test_every_command_has_a_line_of_its_own_in_the_list(said):
    _, text = said("--help")
    assert re.search(r"^    crossvalidate  cross-validate by company", text, re.M)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", [one.__name__.split(".")[2] for one in cli.COMMANDS])
def test_options_say_what_they_take_and_not_their_own_name(said, name):
    code, text = said(name.replace("_", "-"), "--help")
    assert code == 0 and max(map(len, text.splitlines())) <= 100
    repeated = [
        option for option, taken in re.findall(r"--([\w-]+) ([A-Z_]+)\b", text)
        if taken == option.replace("-", "_").upper() and option not in ("id", "folder")
    ]  # fmt: skip
    assert not repeated


def test_an_unknown_command_is_a_line_with_the_right_one(said):
    line = refuses(said, "verdikt", code=2)
    assert line == "finllm: no command 'verdikt'; did you mean verdict? see python -m finllm --help"
    assert refuses(said, "zzzz", code=2).endswith("'zzzz'; see python -m finllm --help")


def test_make_help_lists_every_target():
    # called by `make test`, an inner make would also print the folders that it enters
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert [line.split()[1] for line in lines] == targets
    assert max(map(len, lines)) <= 100


# --- settings


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  r: 16 ", "  rank: 16 ", "unknown key lora.rank; did you mean lora.r? (allowed: r, "),
        ("\nlora:", "\nLoRA:", "unknown key LoRA; did you mean lora? (allowed: data, "),
        ("  source: sample ", "  source: sample/ ", "'sample/'; it must be a folder's name in"),
        ("  r: 16 ", "  r: ", "lora.r is empty; it must be a whole number"),
        ("  rslora: false ", "  rslora: 0 ", "lora.rslora is 0; it must be true or false"),
        ("  max_tokens: 384 ", "  max_tokens: 3000000 ", "at least 64 and at most 1,000,000"),
        ("  r: 16 ", "  r: 16\n  r: 8 ", "not valid YAML: line 85, column 3: found duplicate key"),
        ("  r: 16 ", "   r: 16 ", "line 85, column 3: expected <block end>"),
    ],
)
def test_a_mistake_in_params_yaml_is_named_with_key_or_line(said, old, new, says):
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    line = refuses(said, "plan")
    assert line.startswith("finllm plan: params.yaml: ") and says in line
    assert "<unicode string>" not in line


def test_settings_that_are_no_text_are_named_and_not_quoted(said):
    Path("binary.yaml").write_bytes(bytes(range(128, 256)))
    Path("prose.yaml").write_text("word " * 10_000, encoding="utf-8")
    assert refuses(said, "plan", "--params", "binary.yaml").endswith(
        "binary.yaml: not text in UTF-8"
    )
    assert refuses(said, "plan", "--params", "presets").endswith("presets: a folder, not a file")
    assert len(refuses(said, "plan", "--params", "prose.yaml")) < 200
    for arguments in (("search", "--trials", "1", "--space"), ("study", "--dry")):
        assert "binary.yaml: not text in UTF-8" in refuses(said, *arguments, "binary.yaml")


def test_a_preset_that_cannot_be_used_is_named(said):
    assert "'cpu-smolm2' in presets; did you mean cpu-smollm2?" in refuses(
        said, "preset", "cpu-smolm2"
    )
    bad = {"void": "", "list": "- 1\n", "scalar": "data: {source: {s: 1}}\n", "broken": "lora: [\n"}
    says = {
        "void": "void.yaml: it must be a mapping of parameters, not empty",
        "list": "list.yaml: it must be a mapping of parameters, not [1]",
        "scalar": "data.source is {'s': 1}; it must be text",
        "broken": "broken.yaml: not valid YAML: line 2, column 1",
    }
    for name, text in bad.items():
        Path("presets", f"{name}.yaml").write_text(text, encoding="utf-8")
        assert says[name] in refuses(said, "preset", name)
    Path("params.yaml").write_text("lora: [", encoding="utf-8")
    assert "params.yaml: not valid YAML: line 1" in refuses(said, "preset", "cpu-smollm2")


def test_a_preset_counts_the_values_that_it_changed(said):
    assert said("preset", "cpu-smollm2") == (
        0,
        "cpu-smollm2: params.yaml already has these values\n",
    )
    Path("presets", "one.yaml").write_text("lora: {r: 8}\n", encoding="utf-8")
    assert "one: 1 value changed in params.yaml;" in said("preset", "one")[1]


def test_a_preset_for_several_gpus_is_planned_on_them_and_one_for_one_gpu_returns_to_one(said):
    _, text = said("plan", "--preset", "multi-gpu-llama3-70b-qlora-fsdp", "--examples", "1000")
    assert "On each device: fsdp, 4 x cuda" in text and "Fits 4 x 80 GB (fsdp): " in text
    said("preset", "multi-gpu-llama3-70b-qlora-fsdp")
    said("preset", "gpu-llama3-8b-qlora")
    assert "On each device: single, 1 x cuda" in said("plan", "--examples", "1000")[1]


# --- numbers of options


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan", "--devices", "-2"), "--devices is -2; it must be at least 1"),
        (("plan", "--examples", "0"), "--examples is 0; it must be at least 1"),
        (("plan", "--tokens-per-second", "-1"), "--tokens-per-second is -1; it must be above 0"),
        (("plan", "--devices", "4"), "--devices is 4, and the launcher single trains on one"),
        (
            ("export", "--format", "merged", "--output", "x", "--prompts", "0"),
            "--prompts is 0; it must be at least 1",
        ),
        (("gpu-check", "--minutes", "-1"), "--minutes is -1; it must be above 0"),
    ],
)
def test_a_number_that_cannot_work_is_refused(said, arguments, says):
    assert says in refuses(said, *arguments)


def test_options_that_exclude_each_other_are_refused(said):
    assert "not allowed with argument" in said("inspect", "--call", "a", "--pair", "3")[1]
    assert "leave it out with --call" in refuses(said, "inspect", "--call", "a", "--index", "3")


# --- files


def test_a_file_of_other_rows_is_named_with_what_it_must_hold(said):
    write_jsonl(Path("examples.jsonl"), [make_example()])
    Path("binary.jsonl").write_bytes(bytes(range(128, 256)))
    Path("scores.jsonl").write_text("", encoding="utf-8")
    what = "not scores of the stage `evaluate` "
    for command in ("pool", "seeds"):
        line = refuses(said, command, "scores.jsonl", "examples.jsonl")
        assert line.endswith(f"examples.jsonl: {what}(a line has the unknown field 'id')")
        assert f"binary.jsonl: {what}" in refuses(said, command, "scores.jsonl", "binary.jsonl")
        assert "presets: a folder, not a file" in refuses(said, command, "scores.jsonl", "presets")
        assert "scores.jsonl is given twice" in refuses(said, command, *["scores.jsonl"] * 2)
        assert "one file of scores" in refuses(said, command, "scores.jsonl")
        model = refuses(said, command, "scores.jsonl", "none.jsonl", "--model", "best")
        assert "--model is 'best'; it must be tuned or preferred" in model
    write_jsonl(Path("calls.jsonl"), [make_call()])
    line = refuses(said, "inspect", "--examples", "calls.jsonl")
    assert "calls.jsonl: not examples of the stage `split` (a line has the unknown" in line
    line = refuses(said, "inspect", "--call", "x", "--transcripts", "examples.jsonl")
    assert "examples.jsonl: not calls of the stage `clean` (a line has no 'turns')" in line
    line = refuses(said, "rate", "--examples", "calls.jsonl")
    assert "calls.jsonl: not examples of the stage `split`" in line
    assert "params.yaml: a file; --ratings" in refuses(
        said, "rate", "--examples", "examples.jsonl", "--ratings", "params.yaml"
    )


def test_a_verdict_that_is_none_is_named(said):
    Path("other.json").write_text('{"Answer": "better"}', encoding="utf-8")
    Path("binary.json").write_bytes(bytes(range(128, 256)))
    assert "other.json: not a verdict of this" in refuses(
        said, "verdict", "--verdict", "other.json"
    )
    line = refuses(said, "verdict", "--verdict", "binary.json")
    assert line.endswith("binary.json: not a JSON object; run `make repro`")
    assert "presets: a folder" in refuses(said, "verdict", "--verdict", "presets")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(said, tmp_path):
    Path("calls").mkdir()
    for command, option in (
        (("predict", "--input", "calls"), "--output"),
        (("gpu-check",), "--output"),
        (("crossvalidate", "--folds", "2"), "--out"),
        (("score", "--predictions", "a", "--references", "b", "--sources", "c"), "--json"),
    ):
        assert "presets: a folder; name the file" in refuses(said, *command, option, "presets")
        assert "/dev/null: not a file that can" in refuses(said, *command, option, "/dev/null")
        assert "params.yaml/x/y: cannot be written: " in refuses(
            said, *command, option, "params.yaml/x/y"
        )
    check_output(tmp_path / "new folder, Umlaut ä" / "x.json")  # is made when it is written
    assert not (tmp_path / "new folder, Umlaut ä").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot be written: .*: permission denied"):
        check_output(tmp_path / "x.json")


def test_a_model_or_folder_that_is_not_there_is_named_at_once(said):
    code = (
        "import sys; from finllm.cli import main\ntry:\n main({})\nexcept SystemExit as end:\n"
        + (" print(end)\nprint('torch' in sys.modules)")
    )
    for words in (
        ["predict", "--input", "calls", "--output", "o.jsonl"],
        ["chat", "--transcript", "calls"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words)], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
        )  # fmt: skip
        first, loaded = done.stdout.splitlines()
        assert "models/adapter: no tuned model; run `dvc repro train` first" in first
        assert loaded == "False"


def test_the_line_of_the_processor_is_wrapped_between_its_parts():
    line = (
        "commit 3ff62ff (clean), 2026-11-30, AMD EPYC (AVX-512, bfloat16), in bfloat16, "
        "torch 2.13.0+cpu"
    )
    text = made_with(line, columns=100)
    assert text.splitlines() == [f"Made with: {line[:-17]}", "torch 2.13.0+cpu"]


# --- crossvalidate


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("lora.r=x", "params.yaml with -S lora.r=x: lora.r is 'x'; it must be a whole number"),
        ("lora.r=[1", "-S lora.r=[1: not valid YAML: line 1"),
        ("lora.rank=4", "params.yaml has no lora.rank; did you mean lora.r?"),
        (
            "templatize.weights.summarization=0",
            "templatize.weights add up to 0.8; they must add up to 1",
        ),
    ],
)
def test_an_override_is_checked_with_its_key_however_deep(said, setting, says):
    assert says in refuses(said, "crossvalidate", "--folds", "2", "-S", setting)


# --- tables


def test_a_table_of_scores_fits_the_width_and_loses_no_column():
    names = ("predictions", "lead", "dense", "random", "nearest", "nearest_company")
    table = {
        name: {"number_accuracy": Estimate(0.5, 0.4, 0.6), "bleu": Estimate(i / 10, 0.0, 1.0)}
        for i, name in enumerate(names)
    }
    counts = {"references": 6, "companies": 6, "missing": 0, "empty": 0}
    found = Outside(table, counts, {}, 0.0)
    for width in (60, 100):
        lines = show(found, width=width).splitlines()
        assert max(map(len, lines[2:])) <= width
        heads = [line.split() for line in lines if line.startswith("   ")]
        assert [name for head in heads for name in head] == list(names)
        assert sum(line.startswith("number_accuracy") for line in lines) == len(heads)
        assert "0.500 [0.000, 1.000]" in lines[-1]
    assert "mean [95% interval, companies resampled]" in lines


def test_a_plan_of_studies_fits_the_width_and_does_not_count_what_it_does_not_know():
    one = {
        "study": "rank", "claim": "Rank 16 is best of all ranks that were tried here. " * 3,
        "asked": "16 is better than every other level", "limit_hours": 1.8, "sequential": False,
        "runs": [{"level": "16", "seed": 1, "minutes": 4.6, "stages": 2}], "minutes": 4.6,
        "timed": True, "chances": {"confirmed": 0.96, "refuted": 0.0, "undecided": 0.04,
                                   "mean_seeds": 4.0, "n_simulations": 400},
    }  # fmt: skip
    other = {**one, "timed": False, "chances": None, "minutes": 0.0, "limit_hours": 0.1}
    lines = as_text([one, other]).splitlines()
    assert max(map(len, lines)) <= 100
    assert "  1 run, about 4 min 36 s; limit 1 h 48 min" in lines
    assert lines[-1] == "all 2 studies: at most about 4 min 36 s; the time of 1 is not known"


def test_a_plan_fits_the_width_and_separates_thousands(said):
    Path("metrics/details").mkdir(parents=True)
    Path("metrics/costs").mkdir()
    for kind in ("details", "costs"):
        shutil.copy(ROOT / "metrics" / kind / "train.json", Path("metrics", kind, "train.json"))
    _, text = said("plan")
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"80 GB +295 +2,818$", text, re.M) and "3.63%" in text
    assert "\n   speed: measured by the last run (metrics/costs/train.json))" in text
    planned = json.loads(said("plan", "--json")[1])
    assert planned["largest_batches"]["80"] == {"kept": 295, "checkpointed": 2818}
