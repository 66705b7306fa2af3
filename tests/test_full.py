import json
from pathlib import Path

import pytest
import torch
from bounds import assert_rounded, distance, n_roundings
from conftest import tiny_llama
from test_batching import examples
from test_trainer import SETTINGS
from transformers import AutoModelForCausalLM

from finllm.model import attention
from finllm.model.adapter import trainable_parameters
from finllm.model.full import is_full, save_full, train_all
from finllm.model.loading import load_base
from finllm.settings.params import check_params
from finllm.training.arguments import training_arguments
from finllm.training.trainer import fit

IDS = torch.arange(12).view(2, 6)


def trained(tokenizer, folder, *, autocast=None, checkpoint_layers=0, dtype=torch.float32):
    """A tiny model after three steps of full fine-tuning, and what the fit says."""
    rows = examples([9, 30, 17, 5])
    model = tiny_llama(attention.NAME).to(dtype)
    model = train_all(model, checkpoint_layers=checkpoint_layers)
    settings = {**SETTINGS, "max_steps": 3, "learning_rate": 1e-3, "evals_per_run": 3}
    done = fit(
        model,
        tokenizer,
        train=rows,
        val=rows,
        arguments=training_arguments(output_dir=str(folder), **settings),
        patience=0,
        min_improvement=0.0,
        autocast=autocast,
    )
    return model, done


def logits(model):
    with torch.no_grad():
        return model.eval()(IDS).logits.float()


def test_every_weight_is_trained_in_float32_and_the_loss_falls(chatml, tmp_path):
    model, done = trained(chatml, tmp_path, dtype=torch.bfloat16, autocast=torch.bfloat16)
    start = tiny_llama(attention.NAME).bfloat16().float()
    assert trainable_parameters(model) == sum(p.numel() for p in start.parameters())
    for (name, after), before in zip(model.named_parameters(), start.parameters(), strict=True):
        assert after.dtype == torch.float32 and not after.equal(before), name
    assert done.best_val_loss_nats < done.initial_val_loss_nats - 0.1


def test_autocast_rounds_the_products_and_recomputation_changes_nothing(chatml, tmp_path):
    exact = logits(trained(chatml, tmp_path)[0])
    again = logits(trained(chatml, tmp_path, checkpoint_layers=1)[0])
    rounded = logits(trained(chatml, tmp_path, autocast=torch.bfloat16)[0])
    assert again.equal(exact) and not rounded.equal(exact)
    before = logits(tiny_llama(attention.NAME))  # what rounding does is little beside the training
    assert distance(rounded, exact) < 0.5 * distance(before, exact)


def test_the_saved_model_answers_alike_wherever_it_is_loaded(chatml, tmp_path):
    model, _ = trained(chatml, tmp_path)
    expected = logits(model)
    weights = save_full(model, tmp_path / "adapter", base_name="some/base")
    assert weights.is_file() and is_full(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "config.json").read_text())
    assert str(Path.home()) not in json.dumps(config) and str(tmp_path) not in json.dumps(config)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float32)
    assert_rounded(logits(plain), expected, n_roundings(plain, IDS.shape[1]))
    ours = load_base(
        str(tmp_path / "adapter"),
        revision="",
        quantization="none",
        double_quantization=False,
        compute_dtype="float32",
        attention_kernel="matmul",
    )
    assert_rounded(logits(ours), expected, n_roundings(ours, IDS.shape[1]))


def test_a_folder_with_an_adapter_or_a_file_holds_no_whole_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    assert not is_full(tmp_path)
    assert not is_full(tmp_path / "adapter_config.json")


def test_quantized_weights_cannot_all_be_trained():
    text = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("method: lora ", "method: full ")
    with pytest.raises(ValueError, match="train.method is full and model.quantization is nf4"):
        check_params(text, "params.yaml")
    text = text.replace("quantization: nf4 ", "quantization: none ")
    assert check_params(text, "params.yaml").train.method == "full"
