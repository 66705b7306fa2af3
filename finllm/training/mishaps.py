"""Errors that explain a failed training: what happened, where, and what to change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers import Trainer

from finllm.instruct.chat import Encoded
from finllm.model.process_memory import is_out_of_memory, peak_memory_gb

REMEDY = (
    "lower train.learning_rate or train.max_grad_norm (the checkpoints of the old values "
    "are intact)"
)


def check_loss(trainer: Trainer, loss: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> None:
    """Raise if the loss of a batch is not finite, naming the step, the batch and the layers."""
    if torch.isfinite(loss):
        return
    trainer.fused = None  # hooks cannot watch fused layers one by one
    layer = _first_not_finite(
        trainer.model, lambda: trainer.compute_loss(trainer.model, dict(inputs))
    )
    raise ValueError(
        f"training diverged: the loss is {loss.item()} at step {trainer.state.global_step + 1}, "
        f"on {_examples(trainer, [inputs])}; "
        f"first layer whose output is not finite: {layer or 'not reproduced in a second pass'}; "
        f"gradients not finite: {_names(_gradients(trainer.model))}; {REMEDY}"
    )


def check_gradients(trainer: Trainer, batches: Sequence[Mapping[str, torch.Tensor]]) -> None:
    """Raise if a gradient of the step is not finite, naming the step, the batch and the weights.

    With loss scaling nothing is checked, because non-finite gradients are expected there and the
    step is skipped.
    """
    if trainer.accelerator.scaler is not None:
        return
    names = _gradients(trainer.model)
    if names:
        raise ValueError(
            f"training diverged: the gradient norm is nan or inf at step "
            f"{trainer.state.global_step + 1}, on {_examples(trainer, batches)}; gradients not "
            f"finite: {_names(names)}; {REMEDY}"
        )


def check_lengths(rows: Sequence[Encoded], *, context: int, name: str) -> None:
    """Raise if an example is longer than the model's context."""
    long = [number for number, row in enumerate(rows, 1) if len(row.input_ids) > context]
    if long:
        longest = max(len(row.input_ids) for row in rows)
        raise ValueError(
            f"{len(long)} of the {len(rows)} {name} examples are longer than the model's context "
            f"of {context} tokens: {_numbers(long)} (counted from 1), the longest of {longest}; "
            f"set templatize.max_tokens to {context} or less"
        )


@contextmanager
def memory_explained(
    rows: Sequence[Encoded],
    batch_size: int,
    *,
    recomputes: bool,
    planned_gb: float | None = None,
) -> Iterator[None]:
    """Turn an out-of-memory error into a message that says what was in memory and what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        also = "" if recomputes else ", or set train.checkpoint_layers to 1"
        longest = max(len(row.input_ids) for row in rows)
        planned = "" if planned_gb is None else f" of {planned_gb:.1f} GB planned"
        raise ValueError(
            f"out of memory, at a peak of {peak_memory_gb():.1f} GB so far{planned}, with "
            f"{batch_size} examples of up to {longest} tokens in a forward pass "
            f"({_first_line(error)}); "
            "halve train.batch_size and double train.accumulation (the same effective batch), "
            f"lower templatize.max_tokens{also}"
        ) from None


def _first_line(error: Exception) -> str:
    return f"{str(error).splitlines()[0]:.120}" if str(error) else type(error).__name__


def _first_not_finite(model: torch.nn.Module, run: Callable[[], object]) -> str:
    """Return the name of the innermost module that is the first to output a non-finite number."""
    found: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def look(module: torch.nn.Module, inputs: object, output: object) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            if isinstance(tensor, torch.Tensor) and not torch.isfinite(tensor).all():
                found.append(name)

        return look

    handles = [m.register_forward_hook(watch(name)) for name, m in model.named_modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""


def _gradients(model: torch.nn.Module) -> list[str]:
    """Return the names of the weights whose gradient is not finite."""
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    if not named:
        return []
    norms = torch.stack(torch._foreach_norm([grad for _, grad in named])).tolist()
    return [name for (name, _), norm in zip(named, norms, strict=True) if not math.isfinite(norm)]


def _examples(trainer: Trainer, batches: Sequence[Mapping[str, torch.Tensor]]) -> str:
    """Return a phrase that lists the training examples in the batches, padded or packed."""
    laid_out = [row.tobytes() for batch in batches for row in batch["input_ids"].cpu().numpy()]
    numbers = [
        number
        for number, ids in enumerate(trainer.train_dataset["input_ids"], 1)
        if any(np.asarray(ids, dtype=np.int64).tobytes() in row for row in laid_out)
    ]
    return f"training examples {_numbers(numbers)} (counted from 1)"


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:16]))
    return shown + (f" and {len(numbers) - 16} more" if len(numbers) > 16 else "")


def _names(names: Sequence[str]) -> str:
    return f"{len(names)}" + (f" ({', '.join(names[:3])} ...)" if names else "")
