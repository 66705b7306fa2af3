"""The option predict.backend: vllm, on a stand-in for the package: there is no GPU here."""

import importlib.metadata
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import stand_in_vllm

from finllm.answering import vllm_answerer
from finllm.answering.backend import answerer_here
from finllm.instruct import chat
from finllm.settings.params import check_params, load_params

ROOT = Path(__file__).parents[1]
PLAIN = {"grounding": "none", "repetition": "allow", "quantization": "none", "stop_penalty": 0.0}


@pytest.fixture
def vllm(monkeypatch):
    """A package that records how it is called, and answers with the prompt's first ids."""
    calls = []

    class LLM:
        def __init__(self, **options):
            module.options = options
            self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=512))

        def generate(self, prompts, params, *, lora_request, use_tqdm):
            calls.append((prompts, params, lora_request))
            assert use_tqdm is False
            stop = params.get("stop_token_ids", [0])[0]
            n = params["max_tokens"]
            found = []
            for prompt in (one["prompt_token_ids"] for one in prompts):
                cut = len(prompt) > 3
                logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in prompt]
                one = SimpleNamespace(
                    token_ids=tuple(prompt[:n]) if cut else (prompt[0], stop),
                    finish_reason="length" if cut else "stop",
                )
                found.append(SimpleNamespace(outputs=[one], prompt_logprobs=[None, *logprobs[1:]]))
            return found

    module = stand_in_vllm(monkeypatch, LLM)
    module.calls = calls
    version = importlib.metadata.version
    monkeypatch.setattr(
        vllm_answerer, "version", lambda name: "0.9" if name == "vllm" else version(name)
    )
    monkeypatch.setattr(vllm_answerer.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(vllm_answerer.arithmetic, "kind", lambda: {"gpu": "a GPU"})
    return module


@pytest.fixture
def params(tmp_path, chatml):
    """Parameters with the backend and a tokenizer as the model's folder."""
    chatml.save_pretrained(tmp_path / "base")
    found = load_params(ROOT / "params.yaml")
    model = replace(
        found.model, name=str(tmp_path / "base"), gguf_package="", compute_dtype="float32"
    )
    predict = replace(found.predict, **PLAIN, backend="vllm", max_new_tokens=4, batch_size=2)
    return replace(found, model=model, predict=predict)


@pytest.fixture
def adapter(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": 8}))
    return folder


def test_the_adapter_is_a_request_for_lora_and_the_base_has_none(vllm, params, adapter):
    tuned = answerer_here(params, weights=adapter)
    assert vllm.options["enable_lora"] and vllm.options["max_lora_rank"] == 8
    list(tuned.generated([[5, 6]], [""], [""], [], None))
    assert vllm.calls[-1][2] == ("tuned", 1, str(adapter))
    base = answerer_here(params, weights=Path("requirements-models.txt"))
    assert not vllm.options["enable_lora"] and vllm.options["dtype"] == "float32"
    list(base.generated([[5, 6]], [""], [""], [], None))
    assert vllm.calls[-1][2] is None


def test_answers_are_greedy_lose_the_ending_token_and_say_what_cut_them(
    vllm, params, adapter, tmp_path
):
    answerer = answerer_here(params, weights=adapter)
    ids = [[5, 6], [7, 8, 9, 10, 11], [12, 13], [14, 15]]
    journal = answerer.journal(tmp_path, ids, [""] * 4)
    first = list(answerer.answer(ids[:], [""] * 4, journal))
    assert [(x.index, x.ids, x.hit_limit) for x in first] == [
        (0, [5], False), (1, [7, 8, 9, 10], True), (2, [12], False), (3, [14], False)
    ]  # fmt: skip
    assert [len(prompts) for prompts, *_ in vllm.calls] == [2, 2]  # predict.batch_size
    settings = vllm.calls[0][1]
    assert settings["temperature"] == 0.0 and settings["max_tokens"] == 4
    assert settings["stop_token_ids"] == chat.stop_ids(answerer.tokenizer)
    again = list(answerer.answer(ids, [""] * 4, journal))
    assert again == first and len(vllm.calls) == 2  # the journal has them


def test_the_loss_of_a_reference_is_the_sum_over_its_own_tokens(vllm, params, adapter):
    answerer = answerer_here(params, weights=adapter)
    row = chat.Encoded(input_ids=[5, 6, 7, 8], n_prompt=2)
    (nats,) = answerer.losses([row])
    assert math.isclose(nats, 2 * 0.5)
    assert vllm.calls[-1][1]["prompt_logprobs"] == 0


def test_answers_of_another_backend_are_another_journal_and_another_decoding(
    vllm, params, adapter, tmp_path
):
    one = answerer_here(params, weights=adapter)
    other = replace(one, max_new_tokens=5)
    paths = {a.journal(tmp_path, [[1]], [""]).path for a in (one, other)}
    assert len(paths) == 2 and "vLLM 0.9" in one.decoding and not one.has_rules


def test_without_a_gpu_it_is_refused_in_words(params, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="^predict.backend is vllm, which needs a GPU; .*use auto"):
        answerer_here(params, weights=Path("none"))


def test_without_the_package_it_is_refused_in_words(params, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(vllm_answerer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="^predict.backend is vllm, but vllm is not installed"):
        answerer_here(params, weights=Path("none"))


def test_the_rules_of_decoding_are_not_dropped_in_silence():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"predict\.grounding is figures.*grounding to none"):
        check_params(text.replace("predict:\n  backend: auto", "predict:\n  backend: vllm"), "it")
