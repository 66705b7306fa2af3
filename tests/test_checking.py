"""A value that cannot work is refused before DVC has removed an output."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from test_pipeline import downstream
from writing_pipeline import ROOT, dvc, environment, write_project

from finllm.checking import check
from finllm.instruct.splits import check_shares
from finllm.settings.params import load_params

# The real stage, in the pipeline whose other stages only write.
CHECK = """
import runpy, sys
sys.argv = ["-m", "--done", sys.argv[-1]]  # as `python -m stages.check` has it
runpy.run_module("stages.check", run_name="__main__")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"), scripts={"check": CHECK})


def contents(root: Path) -> dict[str, bytes]:
    """Every file but those of Git and DVC's own."""
    inside = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in inside
        if path.relative_to(root).parts[0] not in (".git", ".dvc", "logs")
    }


REFUSED = {
    "lora.r=abc": ("lora.r is 'abc'", "whole number"),
    "lora.dropout=2": ("lora.dropout", "at most 0.9"),
    "verdict.primary_metric=accuracy": ("'accuracy'", "number_accuracy"),
    "data.source=nowhere": ("data.source is 'nowhere'", "available: ", "sample"),
    "data.transfer_source=nowhere": ("data.transfer_source is 'nowhere'", "available: "),
    "execution.engine=spark": ("execution.engine is 'spark'", "one of local, ray"),
    "predict.backend=vllm": ("predict.backend is vllm", "set predict.grounding to none"),
    "split.test_share=0.05": ("2 of 30 companies", "Set split.test_share to 0.34"),
    "split.min_test_companies=60": ("No test share is large enough", "about 150 companies"),
    "split.transfer_sectors=[whaling]": ("'whaling'", "banking"),
    "model.gguf_file=none.gguf": ("'none.gguf'", "SmolLM2-135M-Instruct.Q4_1.gguf"),
    "model.gguf_package=none": ("package none, which contains the model, is not installed",),
    "evaluate.encoder_layer=12": ("evaluate.encoder_layer is 12", "6 layers"),
    "templatize.max_tokens=20000": ("templatize.max_tokens is 20000", "8192"),
    "templatize.max_answer_tokens=300": ("at most half",),
    "filter.lexicon=mine.tsv": ("filter.lexicon is 'mine.tsv'",),
    "train.devices=4": ("train.devices is 4", "ddp"),
    "sample.n_companies=400": ("sample.n_calls is 150", "400"),
    "train.method=full": ("model.quantization",),
    "prefer.method=ppo": ("prefer.method is 'ppo'", "none, dpo, ipo, simpo, kto"),
    "prefer.weights={corrupted: 0.5, sampled: 0.4, rated: 0.0}": ("prefer.weights add up to 0.9",),
    "verdict.candidate=preferred": ("prefer.method is none", "verdict.candidate to tuned"),
}


@pytest.mark.parametrize("override", REFUSED)
def test_a_value_that_cannot_work_is_refused_in_words(override, tmp_path):
    with pytest.raises(ValueError) as error:
        check(load_params(changed(tmp_path, override)), ROOT)
    for word in REFUSED[override]:
        assert word in str(error.value)


def test_ray_without_its_package_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    params = load_params(changed(tmp_path, "execution.engine=ray"))
    with pytest.raises(ValueError, match=r"^execution.engine is ray, .* -r requirements-ray\.txt$"):
        check(params, ROOT)


def changed(folder: Path, override: str) -> Path:
    """The shipped params.yaml with another value."""
    key, value = override.split("=", 1)
    section, name = key.split(".")
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    document[section][name] = YAML(typ="safe").load(value)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    return folder / "params.yaml"


@pytest.mark.parametrize("override", ["lora.r=abc", "data.source=nowhere", "split.test_share=0.05"])
def test_a_bad_value_leaves_every_output_in_place(project, override):
    before = contents(project)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", "-S", override],
        cwd=project, capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    after = contents(project)
    (project / "params.yaml").write_bytes(before["params.yaml"])
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("check: ")]
    assert any(word in said[0] for word in REFUSED[override])
    assert said[-1] == "check: see logs/check.log"
    assert "Traceback" not in done.stdout + done.stderr
    touched = {name for name in before | after if before.get(name) != after.get(name)}
    assert touched <= {"params.yaml"}


def test_the_check_runs_again_and_nothing_else_for_a_value_that_no_stage_reads(project):
    before = (project / "params.yaml").read_bytes()
    out = dvc(project, "exp", "run", "-S", "plan.device_gb=16", "-n", "bigger")
    ran = [line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage '")]
    assert ran == ["check"]
    (project / "params.yaml").write_bytes(before)
    dvc(project, "repro", "-q")


def test_every_stage_comes_after_the_check(project):
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    names = {
        f"{name}@{key}" for name, stage in stages.items() for key in stage.get("foreach", [None])
    }
    names = {name.removesuffix("@None") for name in names}
    assert downstream(project, "check") == names - {"check"}


@pytest.fixture
def own(tmp_path):
    """A source of one's own, of twelve calls of twelve companies without summaries."""
    folder = tmp_path / "data" / "raw" / "mine"
    folder.mkdir(parents=True)
    rows = [{"id": f"c{i}", "text": f"Revenue rose {i} %.", "firm": f"F{i}"} for i in range(12)]
    (folder / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "source.yaml").write_text(
        "format: jsonl\npath: calls.jsonl\nfields: {id: id, text: text, company: firm}\n"
    )
    return tmp_path


def params_with(**sections):
    params = load_params(ROOT / "params.yaml")
    changed = {
        name: dataclasses.replace(vars(params)[name], **values) for name, values in sections.items()
    }
    return dataclasses.replace(params, **changed)


NO_SUMMARY = {"understanding": 0.5, "completion": 0.4, "summarization": 0.0, "questions": 0.1}


def test_all_that_is_wrong_with_a_source_is_named_at_once(own):
    params = params_with(data={"source": "mine"}, filter={"lexicon": "no.tsv"})
    with pytest.raises(ValueError, match="summarization is 0.2") as error:
        check(params, own)
    assert "filter.lexicon is 'no.tsv'" in str(error.value)


def test_a_source_of_one_s_own_with_too_few_companies_is_told_what_helps(own):
    weights = dataclasses.replace(
        load_params(ROOT / "params.yaml").templatize.weights, **NO_SUMMARY
    )
    sections = {"data": {"source": "mine"}, "templatize": {"weights": weights}}
    with pytest.raises(ValueError, match=r"5 of 12 companies.*about 25 companies.*crossvalidate"):
        check(params_with(**sections, split={"transfer_sectors": ()}), own)
    with pytest.raises(ValueError, match=r"has no sectors; set split.transfer_sectors to \[\]"):
        check(params_with(**sections), own)
    check(params_with(**sections, split={"transfer_sectors": (), "min_test_companies": 5}), own)


def test_a_share_is_suggested_only_where_one_helps(own):
    weights = dataclasses.replace(
        load_params(ROOT / "params.yaml").templatize.weights, **NO_SUMMARY
    )
    split = {"transfer_sectors": (), "min_test_companies": 7}
    params = params_with(data={"source": "mine"}, templatize={"weights": weights}, split=split)
    message = r"Set split.test_share to 0.59 \(now 0.4\), or test each of the 12 once.*--folds 5`"
    with pytest.raises(ValueError, match=message):
        check(params, own)
    helped = dataclasses.replace(params.split, test_share=0.59)
    check(dataclasses.replace(params, split=helped), own)


def test_few_companies_get_the_command_that_works_with_as_many():
    with pytest.raises(ValueError, match=r"crossvalidate --folds 5` \("):
        check_shares(14, val_share=0.1, test_share=0.4, minimum=10)
    with pytest.raises(ValueError, match="--folds 5 -S split.min_test_companies=8`"):
        check_shares(8, val_share=0.1, test_share=0.4, minimum=10)


def test_a_list_of_sources_shows_what_a_mistyped_name_may_mean(own):
    (own / "data" / "raw" / "bare").mkdir()
    with pytest.raises(ValueError) as error:
        check(params_with(data={"source": "mien"}), own)
    assert "available: mine, sample; without a source.yaml: bare" in str(error.value)


@pytest.mark.parametrize("section, values, word", [
    ("train", {"optimizer": "paged_adamw_8bit"}, "train.optimizer is paged_adamw_8bit"),
    ("model", {"compute_dtype": "float16"}, "model.compute_dtype is float16"),
    ("model", {"backend": "liger"}, "model.backend is liger"),
    ("model", {"attention": "flash_attention_2"}, "model.attention is flash_attention_2"),
])  # fmt: skip
def test_what_needs_a_gpu_is_refused_without_one(section, values, word):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where the value is allowed")
    with pytest.raises(ValueError, match=f"{word}, which needs a GPU"):
        check(params_with(**{section: values}), ROOT)


def test_the_shipped_parameters_pass():
    check(load_params(ROOT / "params.yaml"), ROOT)
