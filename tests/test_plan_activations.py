import pytest
import torch
from conftest import tiny_llama

from finllm.model import attention, fused_attention, head_loss
from finllm.model.attention import NAME
from finllm.model.fused import FusedLlama, why_not_fused
from finllm.model.loading import add_lora
from finllm.model.workspace import CHUNK
from finllm.planning.activations import (
    LOGIT_COPIES,
    LOGIT_ROWS,
    MLP_GRADIENTS,
    QUERY_BLOCK,
    activations,
    flops_per_token,
    kept_by_block,
    kept_by_fused_block,
)
from finllm.planning.architecture import find_architecture, known_models

SMOLLM2 = known_models()["SmolLM2-135M-Instruct"]
LORA = {"r": 4, "targets": "all-linear", "dropout": 0.1}
BATCH, LENGTH = 2, 32


def kept_by_autograd(model, forward):
    """Bytes that the blocks' forward passes keep, weights left out."""
    own = {tensor.data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    kept, alive = {}, []

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            shared = storage.nbytes() >= CHUNK  # tensors of a workspace lie in one storage
            key = tensor.data_ptr() if shared else storage.data_ptr()
            kept.setdefault(key, tensor.nbytes if shared else storage.nbytes())
            alive.append(tensor)  # so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        forward()
    return sum(kept.values())


def kept_per_block(kernel, dtype, *, targets, dropout, length=LENGTH):
    """Bytes that one more block keeps: what embeddings and last norm keep falls out."""

    def forward(model):
        ids = torch.ones((BATCH, length), dtype=torch.long)
        if kernel != "fused":
            return model.get_base_model().model(input_ids=ids, use_cache=False)
        assert not why_not_fused(model)
        offsets = [length * i for i in range(BATCH + 1)]
        return FusedLlama(model).hidden_states(ids.view(-1), offsets)

    found = []
    for layers in (2, 4):
        model = add_lora(
            tiny_llama(NAME if kernel == "fused" else kernel, layers=layers).to(dtype).train(),
            r=4,
            alpha=8,
            dropout=dropout,
            targets=targets,
            checkpoint_layers=0,
            seed=0,
        )
        found.append(kept_by_autograd(model, lambda model=model: forward(model)))
    return (found[1] - found[0]) / 2


@pytest.fixture
def tiny(tmp_path):
    tiny_llama().config.save_pretrained(tmp_path)
    return find_architecture(str(tmp_path))


@pytest.mark.parametrize("targets", ["all-linear", "query-value"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("kernel", ["matmul", "sdpa", "eager"])
def test_the_list_of_kept_tensors_is_what_autograd_keeps(tiny, kernel, dropout, targets):
    listed = kept_by_block(
        tiny,
        length=LENGTH,
        r=4,
        targets=targets,
        dropout=dropout,
        attention=kernel,
        dtype_bytes=2,
    )
    name = attention.NAME if kernel == "matmul" else kernel
    found = kept_per_block(name, torch.bfloat16, targets=targets, dropout=dropout)
    planned = BATCH * LENGTH * sum(tensor.bytes_per_token for tensor in listed)
    assert planned == pytest.approx(found, rel=0.03)


@pytest.mark.parametrize("targets", ["all-linear", "query-value"])
@pytest.mark.parametrize("length", [LENGTH, 300])
def test_the_fused_list_is_what_autograd_keeps_of_the_fused_layers(tiny, length, targets):
    listed = kept_by_fused_block(tiny, length=length, r=4, targets=targets, dtype_bytes=2)
    found = kept_per_block("fused", torch.bfloat16, targets=targets, dropout=0.1, length=length)
    planned = BATCH * length * sum(tensor.bytes_per_token for tensor in listed)
    assert planned == pytest.approx(found, rel=0.03)


def test_the_blocks_of_the_fused_kernels_are_those_that_are_planned():
    assert QUERY_BLOCK == fused_attention.QUERY_BLOCK
    assert LOGIT_ROWS == head_loss.CHUNK
    few, many = planned(attention="fused", labelled=10), planned(attention="fused", labelled=90)
    assert few.logits == 2 * 10 * 49152 * 4 * LOGIT_COPIES
    assert many.logits == LOGIT_ROWS * 49152 * 4 * LOGIT_COPIES


def planned(**changes):
    settings = {
        "batch_size": 2,
        "length": 100,
        "labelled": 10,
        "attention": "matmul",
        "compute_dtype": "bfloat16",
        "recompute_every": 0,
        **LORA,
    }
    return activations(SMOLLM2, **{**settings, **changes})


def test_logits_are_held_at_the_labels_only_and_three_times():
    assert planned().logits == 2 * 10 * 49152 * 4 * LOGIT_COPIES


def test_a_checkpointed_model_keeps_the_inputs_of_its_blocks_and_recomputes_one():
    full, checked = planned(), planned(recompute_every=1)
    assert checked.kept == 30 * 2 * 100 * 576 * 2
    assert checked.recomputed * 30 == pytest.approx(full.kept)
    assert full.recomputed == 0


def test_every_second_block_checkpointed_keeps_half_of_the_blocks_whole():
    half = planned(recompute_every=2)
    assert half.kept == pytest.approx(
        planned().kept / 2 + planned(recompute_every=1).kept / 2, rel=1e-6
    )


def test_attention_weights_grow_with_the_square_of_the_length_and_sdpas_do_not():
    def growth(kernel):
        return planned(length=2000, attention=kernel).kept / planned(attention=kernel).kept

    assert growth("sdpa") == pytest.approx(20)
    assert growth("matmul") > 30


def test_the_peak_is_of_the_loss_or_of_a_block_but_not_of_both():
    found = planned(labelled=100)
    assert found.logits > found.workspace
    assert found.peak == found.kept + found.logits
    few = planned(labelled=0, attention="sdpa")
    assert few.peak == few.kept + few.workspace
    assert few.workspace == 200 * MLP_GRADIENTS * 2 * 1536 + 2 * 1536 * 576


def test_the_work_of_a_token_is_what_was_counted_by_hand():
    # 2P forward and 2P backward over 106.2 M weights, attention at 480 tokens, 12 % labelled
    found = flops_per_token(SMOLLM2, length=480, labelled_share=0.06, lora=0, recomputed_share=0)
    by_hand = 4 * 106_168_320 + 12 * 30 * 576 * 480 + 4 * 49152 * 576 * 0.06
    assert found == pytest.approx(by_hand)
    assert found == pytest.approx(531e6, rel=0.001)


def test_recomputation_adds_the_forward_pass_of_the_blocks():
    plain = {"length": 100, "labelled_share": 0.1, "lora": 1000}
    once = flops_per_token(SMOLLM2, **plain, recomputed_share=0)
    again = flops_per_token(SMOLLM2, **plain, recomputed_share=1)
    forward = 2 * (106_168_320 + 1000) + 4 * 30 * 576 * 100
    assert again - once == pytest.approx(forward)
