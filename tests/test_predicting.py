"""What names a journal: each thing that can change an answer changes the name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model

from finllm.answering import predicting
from finllm.answering.predicting import load_answerer
from finllm.instruct import chat
from finllm.model import arithmetic, attention, loading
from finllm.settings.params import load_params

IDS = [[5, 6, 7], [8]]
EXCERPTS = ["Sales were $4 million.", ""]
SETTINGS = {
    "quantization": "none",
    "max_new_tokens": 4,
    "batch_size": 8,
    "grounding": "none",
    "repetition": "allow",
    "stop_penalty": 0.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, chatml):
    """A tiny base and an adapter for it."""
    folder = tmp_path_factory.mktemp("predicting")
    tiny_llama().bfloat16().save_pretrained(folder / "base")
    chatml.save_pretrained(folder / "base")
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(tiny_llama(), lora)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(parameter)
    tuned.save_pretrained(folder / "adapter")
    return folder


@pytest.fixture
def answerer(folder):
    """One that is loaded with settings of ``predict`` and of ``model``."""

    def load(*, weights="none", model=(), **settings):
        params = load_params(Path(__file__).parents[1] / "params.yaml")
        given = {"name": str(folder / "base"), "gguf_package": "", "gguf_file": "", **dict(model)}
        asked = replace(params.predict, **{**SETTINGS, **settings})
        changed = replace(params, model=replace(params.model, **given), predict=asked)
        return load_answerer(changed, weights=folder / weights)

    return load


def name(answerer, ids=IDS, excerpts=EXCERPTS):
    return answerer.journal(Path("root"), ids, excerpts).path


def test_the_same_model_has_the_same_journal_wherever_it_lies(answerer, folder):
    first = name(answerer())
    assert name(answerer()) == first
    (folder / "base").rename(folder / "moved")
    try:
        assert name(answerer(model={"name": str(folder / "moved")})) == first
    finally:
        (folder / "moved").rename(folder / "base")


def test_each_setting_in_turn_has_a_journal_of_its_own(answerer):
    settings = [
        {},
        {"quantization": "nf4"},
        {"quantization": "fp4"},
        {"quantization": "int8"},
        {"max_new_tokens": 5},
        {"batch_size": 9},
        {"grounding": "figures"},
        {"repetition": "bullets"},
        {"grounding": "figures", "repetition": "bullets"},
        {"stop_penalty": 1.5},
        {"weights": "adapter"},
        {"model": {"compute_dtype": "float32"}},
        {"quantization": "nf4", "model": {"double_quantization": False}},
        {"quantization": "nf4", "weights": "adapter"},
    ]
    names = [name(answerer(**one)) for one in settings]
    assert len(set(names)) == len(settings)


def test_other_prompts_have_another_journal(answerer):
    one = answerer()
    names = {name(one, ids) for ids in (IDS, IDS[::-1], IDS[:1], [[5, 6], [7, 8]])}
    assert len(names) == 4


def test_other_excerpts_have_another_journal(answerer):
    one = answerer()
    assert name(one) != name(one, excerpts=["Sales were $5 million.", ""])


def test_the_adapters_scale_and_the_models_constants_are_part_of_the_name(answerer, folder):
    before = name(answerer()), name(answerer(weights="adapter"))
    for file, key, value in (
        (folder / "adapter" / "adapter_config.json", "lora_alpha", 4),
        (folder / "base" / "config.json", "rms_norm_eps", 1e-3),
    ):
        text = file.read_text()
        file.write_text(json.dumps({**json.loads(text), key: value}))
        try:
            now = name(answerer()), name(answerer(weights="adapter"))
        finally:
            file.write_text(text)
        assert now[1] != before[1] and (now[0] != before[0]) == (key == "rms_norm_eps")


def test_code_path_kernel_processor_libraries_and_code_are_part_of_the_name(answerer, monkeypatch):
    one = answerer()
    names = [name(one)]

    def changed(*patch, env=()):
        with monkeypatch.context() as context:
            if env:
                context.setenv(*env)
            if patch:
                context.setattr(*patch)
            names.append(name(one))

    changed(predicting, "can_decode", lambda _: False)
    changed(one.model.config, "_attn_implementation", "sdpa")
    changed(predicting, "_code_sha256", lambda **_: "other code")
    changed(arithmetic, "libraries", lambda: {"torch": "another"})
    changed(arithmetic, "processor_name", lambda: "another")
    for limit in arithmetic.LIMITS:
        changed(env=(limit, "AVX2"))
    assert len(set(names)) == len(names) == 6 + len(arithmetic.LIMITS)


@pytest.mark.parametrize("fused", [True, False])
def test_the_number_of_threads_counts_where_rounding_depends_on_it(answerer, monkeypatch, fused):
    monkeypatch.setattr(predicting, "can_decode", lambda _: fused)
    one, n_threads = answerer(), torch.get_num_threads()
    before = name(one)
    torch.set_num_threads(n_threads + 1)
    try:
        assert (name(one) == before) == fused
    finally:
        torch.set_num_threads(n_threads)


def test_answers_end_at_every_id_that_template_tokenizer_or_model_name(answerer, tmp_path):
    one = answerer()
    usual = one.stop_ids
    assert list(range(320)) != usual
    one.model.generation_config.eos_token_id = list(range(320))
    assert one.stop_ids == one.identity["stops"] == list(range(320))
    journal = one.journal(tmp_path, IDS, EXCERPTS)
    assert [(a.ids, a.hit_limit) for a in one.answer(IDS, EXCERPTS, journal)] == [([], False)] * 2
    one.model.generation_config.eos_token_id = 7
    assert one.stop_ids == sorted({7, *usual} - {2} | set(chat.stop_ids(one.tokenizer)))


def test_the_memory_that_answers_lack_is_said_with_what_to_lower(answerer, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
        yield

    monkeypatch.setattr(predicting, "answers", refuse)
    one = answerer()
    with pytest.raises(ValueError, match="2 prompts of up to 3 tokens.*halve predict.batch_size"):
        list(one.answer(IDS, EXCERPTS, one.journal(tmp_path, IDS, EXCERPTS)))


def test_on_a_gpu_answers_read_prompts_without_holding_scores(folder, monkeypatch):
    asked = {}

    def loaded(*_, **options):
        asked.update(options)
        return tiny_llama()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", loaded)
    for kernel, name_on_gpu in {"answers": attention.READING, "auto": "sdpa"}.items():
        loading.load_base(
            "any",
            revision="",
            quantization="none",
            double_quantization=False,
            compute_dtype="bfloat16",
            attention_kernel=kernel,
        )
        assert asked["attn_implementation"] == name_on_gpu and asked["device_map"] == {"": 0}
