"""Evaluation batches over several processes, and the validation loss in nats per labelled token."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import Trainer


def unlabel(labels: torch.Tensor, *, n_real: int, rank: int) -> torch.Tensor:
    """Return the labels of one process's batch, with -100 in the rows that only fill it up.

    In the concatenation of all processes' batches, the first ``n_real`` rows are real.

    >>> unlabel(torch.tensor([[5], [6]]), n_real=3, rank=1).tolist()
    [[5], [-100]]
    """
    labels = labels.clone()
    labels[max(0, n_real - rank * len(labels)) :] = -100
    return labels


def without_repeats(
    accelerator: Accelerator, inputs: dict[str, torch.Tensor], *, n_examples: int
) -> dict[str, torch.Tensor]:
    """Return the batch just drawn, without the labels of examples repeated in the last round.

    Accelerate fills the last round with examples from the start, so that every process has the same
    number of batches. If they counted, the loss would depend on the number of processes. The number
    of real rows is computed from ``n_examples``, the size of the whole set, because Accelerate 1.15
    does not know it in an epoch resumed after a kill. Pass 0 if batches do not have a fixed number
    of examples.
    """
    state, labels = accelerator.gradient_state, inputs["labels"]
    n_real = n_examples % (len(labels) * accelerator.num_processes)
    if accelerator.num_processes == 1 or not state.end_of_dataloader or not n_real:
        return inputs
    return {**inputs, "labels": unlabel(labels, n_real=n_real, rank=accelerator.process_index)}


@torch.no_grad()
def mean_nats(trainer: Trainer, dataloader: DataLoader) -> float:
    """Return the mean loss per labelled token of the set, the same for any batch size and devices.

    Parameters
    ----------
    trainer
        Must have ``labelled_nats(model, inputs)``: a batch's summed loss and labelled tokens.
    dataloader
        The prepared batches of this process.
    """
    accelerator = trainer.accelerator
    trainer.callback_handler.eval_dataloader = dataloader  # the progress bar's length
    trainer.model.eval()
    total = torch.zeros(2, dtype=torch.float64, device=accelerator.device)
    for inputs in dataloader:
        inputs = without_repeats(accelerator, inputs, n_examples=len(dataloader.dataset))
        with trainer.compute_loss_context_manager():
            nats, n_labelled = trainer.labelled_nats(trainer.model, inputs)
        total += torch.stack([nats.double(), n_labelled.double()])
        trainer.control = trainer.callback_handler.on_prediction_step(
            trainer.args, trainer.state, trainer.control
        )
    nats, n_labelled = accelerator.reduce(total, "sum").tolist()
    return nats / n_labelled
