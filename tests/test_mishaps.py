import pytest
import torch
from test_resume import rows, steps, train
from transformers import TrainerCallback

from finllm.training.mishaps import check_lengths, memory_explained


class At(TrainerCallback):
    """Does something to the model before a step."""

    def __init__(self, step, harm):
        self.step, self.harm = step, harm

    def on_step_begin(self, args, state, control, model, **_):
        if state.global_step + 1 == self.step:
            self.harm(model)


def adapter_weight(model, name):
    return next(p for n, p in model.named_parameters() if name in n)


def test_a_loss_that_is_nan_names_step_batch_layer_and_remedy_and_keeps_the_checkpoint(tmp_path):
    def harm(model):
        adapter_weight(model, "layers.1.mlp.up_proj.lora_A").data[0, 0] = float("nan")

    with pytest.raises(ValueError) as caught:
        train(tmp_path, callbacks=[At(6, harm)])
    message = str(caught.value)
    assert "the loss is nan at step 6, on training examples" in message
    first_layer = message.split("not finite: ")[1].split(";")[0]
    assert first_layer.endswith("layers.1.mlp.up_proj")
    assert "train.learning_rate" in message
    assert steps(tmp_path) == ["step-000004", "step-000005"]


def test_the_examples_named_are_those_of_the_batch(tmp_path):
    seen = []

    class Batch(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            seen.append(state.num_input_tokens_seen)

    def harm(model):
        adapter_weight(model, "lora_A").data[0, 0] = float("nan")

    with pytest.raises(ValueError) as caught:
        train(tmp_path, callbacks=[Batch(), At(3, harm)])
    named = str(caught.value).split("training examples ")[1].split(" (counted")[0]
    numbers = [int(number) for number in named.split(", ")]
    assert len(numbers) == 2
    lengths = [len(row.input_ids) for row in rows(7)]
    train(tmp_path / "well", callbacks=[Batch()])
    assert sum(lengths[n - 1] for n in numbers) == seen[2 + 2] - seen[1 + 2]


def test_a_gradient_that_is_not_finite_names_its_weights_before_they_are_touched(tmp_path):
    def harm(model):
        weight = adapter_weight(model, "layers.0.self_attn.q_proj.lora_B")
        weight.register_hook(lambda gradient: gradient * float("inf"))

    with pytest.raises(ValueError) as caught:
        train(tmp_path, callbacks=[At(4, harm)])
    message = str(caught.value)
    assert "gradient norm is nan or inf at step 4, on training examples" in message
    assert "not finite: 1 (base_model.model.model.layers.0.self_attn.q_proj.lora_B" in message
    assert steps(tmp_path) == ["step-000002", "step-000003"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes."),
    ],
)
def test_out_of_memory_says_what_was_held_and_what_to_lower(error):
    with pytest.raises(ValueError, match=r"out of memory, at a peak of .* 4 examples of up to 18"):
        with memory_explained(rows(7), 4, recomputes=True):
            raise error
    with pytest.raises(ValueError, match="batch_size.*templatize.max_tokens.*checkpoint_layers"):
        with memory_explained(rows(7), 4, recomputes=False):
            raise error


def test_a_real_allocation_that_fails_is_recognised():
    with pytest.raises(ValueError, match="out of memory"):
        with memory_explained(rows(2), 4, recomputes=False):
            torch.empty(2**56, dtype=torch.uint8)


def test_another_error_is_left_as_it_is():
    with pytest.raises(RuntimeError, match="^shapes"):
        with memory_explained(rows(2), 4, recomputes=False):
            raise RuntimeError("shapes do not match")


def test_examples_longer_than_the_context_are_counted_and_named():
    check_lengths(rows(7), context=18, name="training")
    with pytest.raises(ValueError, match=r"2 of the 7 training .* of 15 tokens: 6, 7 .*max_tokens"):
        check_lengths(rows(7), context=15, name="training")
