import json

import pytest
import torch
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finllm.model.loading import LORA_TARGETS
from finllm.planning.architecture import (
    LORA_LAYERS,
    find_architecture,
    from_config,
    known_models,
    linear_parameters,
    lora_parameters,
    total_parameters,
)

LLAMA_8B = known_models()["meta-llama/Meta-Llama-3-8B-Instruct"]
SMOLLM2 = known_models()["SmolLM2-135M-Instruct"]
TINY = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 10,
    "tie_word_embeddings": True,
}


def on_meta(model):
    """The model as transformers makes it, without memory."""
    config = LlamaConfig(
        hidden_size=model.hidden,
        intermediate_size=model.intermediate,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        vocab_size=model.vocabulary,
        tie_word_embeddings=model.tied,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def test_a_small_model_is_counted_by_hand():
    model = from_config(TINY, "here")
    block = 8 * 8 + 4 * 8 + 4 * 8 + 8 * 8 + 3 * 8 * 12  # q, k, v, o, and the MLP
    assert linear_parameters(model) == 2 * block
    assert total_parameters(model) == 2 * block + 10 * 8 + 5 * 8  # tied embeddings, five norms
    assert lora_parameters(model, r=3, targets="query-value") == 2 * 3 * ((8 + 8) + (8 + 4))
    untied = from_config({**TINY, "tie_word_embeddings": False}, "here")
    assert total_parameters(untied) == total_parameters(model) + 10 * 8


def test_llama_3_8b_has_the_trainable_parameters_that_were_counted_before():
    def trainable(targets):
        return lora_parameters(LLAMA_8B, r=16, targets=targets)

    assert trainable("all-linear") == 41_943_040
    assert trainable("attention") == 13_631_488
    assert trainable("query-value") == 6_815_744


def test_smollm2_has_134_5_million_parameters():
    assert total_parameters(SMOLLM2) == 134_515_008
    assert lora_parameters(SMOLLM2, r=16, targets="all-linear") == 4_884_480


def test_the_lora_targets_are_those_that_training_knows():
    assert LORA_LAYERS.keys() == LORA_TARGETS.keys()


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct", "meta-llama/Meta-Llama-3-70B-Instruct"])
def test_a_known_model_counts_as_transformers_counts_it(name):
    model = known_models()[name]
    assert total_parameters(model) == sum(p.numel() for p in on_meta(model).parameters())


@pytest.mark.parametrize("targets", LORA_LAYERS)
@pytest.mark.parametrize("model", [SMOLLM2, LLAMA_8B], ids=["smollm2", "llama-8b"])
def test_trainable_parameters_are_those_that_peft_makes(model, targets):
    config = LoraConfig(r=16, target_modules=LORA_TARGETS[targets], task_type="CAUSAL_LM")
    with torch.device("meta"):
        peft = get_peft_model(on_meta(model), config, low_cpu_mem_usage=True)
    made = sum(p.numel() for p in peft.parameters() if p.requires_grad)
    assert lora_parameters(model, r=16, targets=targets) == made


def test_a_local_folder_is_read_and_counts_as_its_model_does(tmp_path):
    tiny = tiny_llama(kv_heads=1, layers=3)
    tiny.config.save_pretrained(tmp_path)
    model = find_architecture(str(tmp_path))
    assert total_parameters(model) == sum(p.numel() for p in tiny.parameters())
    assert find_architecture("any name", folder=str(tmp_path)) == model


def test_an_unknown_model_names_those_that_are_known():
    with pytest.raises(ValueError, match="model.name is 'acme/llama'.*Meta-Llama-3-8B-Instruct"):
        find_architecture("acme/llama")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'; supported: llama, mistral"),
        ({"attention_bias": True}, "attention_bias is true"),
        ({"hidden_size": None}, "key 'hidden_size' is missing"),
    ],
)
def test_what_cannot_be_counted_is_an_error_that_names_the_file(tmp_path, change, words):
    config = {key: value for key, value in {**TINY, **change}.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=words) as error:
        find_architecture(str(tmp_path))
    assert str(tmp_path) in str(error.value)


def test_a_broken_config_is_an_error_in_words(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: not JSON"):
        find_architecture(str(tmp_path))
