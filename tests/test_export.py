"""The exported model is the tuned one, whoever loads it."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import gguf
import pytest
import torch
from bounds import assert_rounded, gamma, n_roundings
from conftest import make_example, tiny_llama
from peft import PeftModel
from ruamel.yaml import YAML
from transformers import AutoModelForCausalLM, AutoTokenizer

from finllm.commands.export.export_model import export_model
from finllm.model.adapter import save_adapter
from finllm.model.compute_type import DTYPES, resolved
from finllm.model.export_formats import greedy_agreement, leads, new_folder
from finllm.model.gguf_file import rows_for_llama_cpp, write_gguf
from finllm.model.loading import add_lora
from finllm.records import write_jsonl
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
IDS = torch.tensor([[5, 20, 31, 44, 100, 7]])


@pytest.fixture(scope="module")
def project(tmp_path_factory, chatml):
    """A tiny bfloat16 base, an adapter that changes its answers, test examples and parameters."""
    root = tmp_path_factory.mktemp("export")
    base = tiny_llama().bfloat16()
    base.save_pretrained(root / "base")
    chatml.save_pretrained(root / "base")
    model = add_lora(
        base, r=4, alpha=8, dropout=0.0, targets="all-linear", checkpoint_layers=0, seed=1
    )
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    save_adapter(model, root / "adapter", base_name="tiny/base", revision="")
    rows = [make_example(f"t{i}:summarization", excerpt="Revenue grew. " * i) for i in range(1, 5)]
    write_jsonl(root / "test.jsonl", rows)
    params = YAML().load(ROOT / "params.yaml")
    params["model"].update(name=str(root / "base"), gguf_package="", gguf_file="")
    params["predict"]["max_new_tokens"] = 8
    YAML().dump(params, root / "params.yaml")
    return root


def exported(
    project: Path, form: str, *, adapter: str = "adapter", model="tuned", force: bool = False
):
    return export_model(
        form,
        project / f"out-{form}",
        params=load_params(project / "params.yaml"),
        model=model,
        adapter=project / adapter,
        examples=project / "test.jsonl",
        metrics=ROOT / "metrics",
        n_prompts=3,
        force=force,
    )


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits.float()


def n_bfloat16(model):
    """Tensors of a layer that are rounded to bfloat16 one after another, and of a merged weight."""
    return 20 * model.config.num_hidden_layers + 5


@pytest.fixture(scope="module")
def adapted(project):
    """The logits of the adapter on its base, by plain PEFT."""
    base = AutoModelForCausalLM.from_pretrained(project / "base")
    return logits(PeftModel.from_pretrained(base, project / "adapter").eval())


def test_merged_weights_load_plainly_and_answer_as_the_adapter(project, adapted, chatml):
    found = exported(project, "merged")
    model = AutoModelForCausalLM.from_pretrained(project / "out-merged")
    computed_in = DTYPES[resolved(load_params(project / "params.yaml").model).compute_dtype]
    assert type(model).__name__ == "LlamaForCausalLM" and model.dtype == computed_in
    assert_rounded(logits(model), adapted, n_bfloat16(model), torch.bfloat16)
    moved = 2 * gamma(n_bfloat16(model), torch.bfloat16) * adapted.abs().amax(-1)
    first, second = adapted.topk(2).values.unbind(-1)
    certain = first - second > moved
    assert (logits(model).argmax(-1) == adapted.argmax(-1))[certain].all()
    base = logits(AutoModelForCausalLM.from_pretrained(project / "base"))
    assert (logits(model) - base).abs().max() > 1  # the adapter does change it
    again = AutoTokenizer.from_pretrained(project / "out-merged")
    assert again.chat_template == chatml.chat_template
    assert again("Revenue grew 12%.").input_ids == chatml("Revenue grew 12%.").input_ids
    names = {path.name for path in (project / "out-merged").iterdir()}
    assert {"model.safetensors", "generation_config.json", "README.md", "export.json"} <= names
    written = json.loads((project / "out-merged" / "export.json").read_text())
    assert written == {
        "format": "merged",
        **dataclasses.asdict(found),
        "lead_at_differences": list(found.lead_at_differences),
    }
    # predict runs the merged model: what is exported is what was evaluated, bit by bit
    assert found.n_prompts == 3 and found.exact_share == found.token_share == 1
    assert found.lead_at_differences == () and found.usual_lead > 0
    assert not list(project.glob("*.tmp"))


def test_a_folder_that_holds_something_is_kept(project):
    (project / "adapter-kept").mkdir()
    (project / "adapter-kept" / "mine.txt").write_text("mine")
    with (
        pytest.raises(ValueError, match="--force replaces it"),
        new_folder(project / "adapter-kept", force=False),
    ):
        pass
    with new_folder(project / "adapter-kept", force=True) as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in (project / "adapter-kept").iterdir()] == ["new.txt"]


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with (
        pytest.raises(ValueError, match="kept.txt is a file; name a folder"),
        new_folder(tmp_path / "kept.txt", force=True),
    ):
        pass
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(project):
    with pytest.raises(RuntimeError), new_folder(project / "half", force=False) as folder:
        (folder / "part").write_text("part")
        raise RuntimeError
    assert not list(project.glob("half*"))


def test_a_gguf_file_read_back_is_the_tuned_model(project, adapted):
    found = exported(project, "gguf")
    model = AutoModelForCausalLM.from_pretrained(
        project / "out-gguf", gguf_file="model.gguf", dtype=torch.bfloat16
    )
    assert (logits(model).argmax(-1) == adapted.argmax(-1)).all()
    assert found.token_share > 0
    fields = gguf.GGUFReader(project / "out-gguf" / "model.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    assert fields["llama.attention.head_count_kv"].contents() == 2
    assert "im_start" in fields["tokenizer.chat_template"].contents()


def test_a_gguf_files_tokenizer_reads_text_as_the_models_does(project, chatml):
    if not (project / "out-gguf").is_dir():
        exported(project, "gguf")
    again = AutoTokenizer.from_pretrained(project / "out-gguf", gguf_file="model.gguf")
    text = "<|im_start|>user\nRevenue grew 12% to $4.2 billion.<|im_end|>\n"
    assert again(text).input_ids == chatml(text).input_ids


def test_the_rows_of_a_head_are_interleaved():
    weight = torch.arange(8)[:, None].numpy()  # 2 heads of 4
    assert rows_for_llama_cpp(weight, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_model_that_gguf_export_does_not_know_is_refused(tmp_path, chatml):
    model = tiny_llama()
    model.config.rope_parameters["rope_type"] = "llama3"
    with pytest.raises(ValueError, match="use --format merged"):
        write_gguf(model, chatml, tmp_path / "x.gguf")


def test_the_adapters_card_says_what_was_trained_and_the_verdict(project):
    assert exported(project, "adapter") is None
    text = (project / "out-adapter" / "README.md").read_text()
    front = YAML(typ="safe").load(text.split("---")[1])
    assert front["library_name"] == "peft" and "qlora" in front["tags"]
    assert front["datasets"] == ["sample"] and "rougeL" in front["metrics"]
    verdict = json.loads((ROOT / "metrics" / "details" / "verdict.json").read_text())
    assert verdict["verdict"].capitalize() in text and f"{verdict['tuned_mean']:.3f}" in text
    assert "fictional" in text
    assert f"| lora.r | {load_params(project / 'params.yaml').lora.r} |" in text


def test_agreement_counts_tokens_up_to_the_first_that_differs():
    found = greedy_agreement([[1, 2, 3], [4, 5], []], [[1, 2, 3], [4, 6, 7], []])
    assert found.exact_share == pytest.approx(2 / 3)
    assert found.token_share == pytest.approx(4 / 6)


def test_where_answers_part_the_lead_of_the_first_models_token_is_told():
    model = tiny_llama()
    prompt = [5, 20, 31]
    with torch.no_grad():
        first = model(torch.tensor([prompt])).logits[0, -1]
    best, second = first.topk(2).indices.tolist()
    found, usual = leads(model, [prompt, prompt], [[best], [best]], [[second], [best]], stop_id=2)
    close = {"abs": 2 * gamma(n_roundings(model, 3), torch.float32) * float(first.abs().max())}
    assert found == pytest.approx((float(first[best] - first[second]),), **close)
    assert usual == pytest.approx(found[0], **close)
    ended, _ = leads(model, [prompt], [[best]], [[]], stop_id=2)
    assert ended == pytest.approx((float(first[best] - first[2]),), **close)
    assert leads(model, [prompt], [[]], [[]], stop_id=2) == ((), None)


def test_the_card_of_a_model_that_the_verdict_is_not_about_says_so(project):
    exported(project, "adapter", model="preferred", force=True)
    written = (project / "out-adapter" / "README.md").read_text()
    assert (
        "The verdict of this run is about the tuned model; this is the preferred model" in written
    )
    assert "| prefer.beta |" in written
    exported(project, "adapter", force=True)
    written = (project / "out-adapter" / "README.md").read_text()
    assert "prefer.beta" not in written and "verdict of this run is about" not in written


def test_a_model_that_cannot_be_exported_or_is_not_there_is_one_message(project):
    with pytest.raises(ValueError, match="model 'base' cannot be exported; allowed: tuned, pref"):
        exported(project, "adapter", model="base")
    with pytest.raises(ValueError, match=r"none: no adapter there; set prefer\.method and run"):
        exported(project, "adapter", adapter="none", model="preferred")


def test_a_missing_adapter_is_one_message(project):
    done = subprocess.run(
        [sys.executable, "-m", "finllm", "export", "--format", "merged", "--output", "x"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "models/adapter: no adapter there; run `dvc repro train` first" in done.stderr
    assert "Traceback" not in done.stderr and not (project / "x").exists()
