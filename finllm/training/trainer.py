"""Fine-tuning with TRL's SFTTrainer, with the loss computed at labelled positions only."""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTConfig

from finllm.instruct.chat import Encoded
from finllm.model.full import load_trained
from finllm.model.fused import FusedLlama, why_not_fused
from finllm.model.head_loss import HeadLoss
from finllm.model.weights import copied_project
from finllm.training import evaluation, mishaps
from finllm.training.batching import Batching, PlannedTrainer
from finllm.training.callbacks import BestAdapter, SoundFit
from finllm.training.checkpoints import continues_from, held
from finllm.training.distributed import call_inside, put_saved_adapter, reduce_in_float32
from finllm.training.resume import Checkpointer


@dataclass(frozen=True)
class Fit:
    """Results of a training."""

    n_steps: int
    n_train_tokens: int  # prompt and answer tokens that the model processed, without padding
    initial_val_loss_nats: float
    best_val_loss_nats: float
    best_step: int
    stopped_early: bool
    seconds: float  # for all steps in the result, including those before a kill
    n_resumes: int


class LabelledLossTrainer(PlannedTrainer):
    """SFTTrainer that computes logits only for labelled positions.

    TRL's own loss also computes entropy and accuracy, and logits for the prompt. Here the loss is
    the sum over labelled tokens divided by their number in the whole effective batch, so that
    accumulation does not change the gradient. On a CPU the layers are fused if possible
    (`finllm.model.fused`), and the batch's examples are concatenated.

    A loss or gradient that is not finite stops the training with a message that names the batch and
    the layers. Checkpoints are the project's own (`finllm.training.resume`), because Trainer's are
    pickles.

    Parameters
    ----------
    fused
        The model's fused layers, or None to run the unfused model.
    """

    checkpointer: Checkpointer | None = None
    _batches: tuple[dict[str, torch.Tensor], ...] = ()  # of this step, for error messages

    def __init__(self, *args: Any, fused: FusedLlama | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fused = fused

    def compute_loss(
        self,
        model: PeftModel,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the mean negative log-likelihood of the answer tokens, in nats.

        With several processes, ``num_items_in_batch`` counts the tokens of all of them, and
        gradients are averaged over processes. Each process's sum is therefore multiplied by their
        number.
        """
        total, n_labelled = self.labelled_nats(model, inputs)
        if num_items_in_batch is None:
            return total / n_labelled
        return total / num_items_in_batch * self.accelerator.num_processes

    def labelled_nats(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the summed loss of this process's answer tokens, in nats, and their number."""
        peft_model = self.accelerator.unwrap_model(model)
        total = call_inside(
            model, peft_model, self._summed_nats, peft_model.get_base_model(), inputs
        )
        return total, (inputs["labels"][:, 1:] != -100).sum()

    def evaluation_loop(
        self,
        dataloader: DataLoader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Return the mean loss over all answer tokens of a set, however batched and distributed."""
        loss = evaluation.mean_nats(self, dataloader)
        n = len(dataloader.dataset)
        return EvalLoopOutput(None, None, {f"{metric_key_prefix}_loss": loss}, n)

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict], num_batches: int, device: torch.device
    ) -> tuple[list[dict], torch.Tensor | int | None]:
        """Return the batches of one step, and their number of labelled tokens in all processes."""
        by_tokens = self.batching is not None and self.batching.by_tokens
        n = 0 if by_tokens else len(self.train_dataset)
        batches = [
            evaluation.without_repeats(self.accelerator, batch, n_examples=n)
            for batch in itertools.islice(epoch_iterator, num_batches)
        ]
        return batches, self._get_num_items_in_batch(batches, device)

    def _summed_nats(self, base: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        ids, real = inputs["input_ids"], inputs["attention_mask"].bool()
        labels = torch.nn.functional.pad(inputs["labels"][:, 1:], (0, 1), value=-100)  # next token
        labelled = labels != -100
        if self.fused is not None:
            offsets = [0, *real.sum(dim=1).cumsum(0).tolist()]
            hidden = self.fused.hidden_states(ids[real], offsets)[labelled[real]]
            return HeadLoss.apply(hidden, base.lm_head.weight, labels[labelled])
        # padding is on the right, where causality alone hides it; without a mask the GPU can use
        # fused kernels, which with one would need the keys repeated for every query head
        mask = None if ids.device.type == "cuda" else real.long()
        hidden = base.model(input_ids=ids, attention_mask=mask, use_cache=False)
        logits = base.lm_head(hidden.last_hidden_state[labelled]).float()
        return torch.nn.functional.cross_entropy(logits, labels[labelled], reduction="sum")

    def training_step(
        self, model: PeftModel, inputs: dict[str, torch.Tensor], *args: Any
    ) -> torch.Tensor:
        """Run the forward and backward pass, and check that the loss is finite."""
        self._batches = (*self._batches, inputs)
        loss = super().training_step(model, inputs, *args)
        mishaps.check_loss(self, loss, inputs)
        return loss

    def _clip_grad_norm(self, model: PeftModel) -> torch.Tensor:
        if not _is_sharded(self):  # a shard of the gradients cannot be checked
            mishaps.check_gradients(self, self._batches)
        self._batches = ()
        return super()._clip_grad_norm(model)

    def _save_checkpoint(self, model: PeftModel, trial: None) -> None:
        self.checkpointer.save(self)

    def _load_from_checkpoint(self, folder: str, model: PeftModel | None = None) -> None:
        self.checkpointer.load_weights(self)

    def _load_optimizer_and_scheduler(self, folder: str) -> None:
        self.checkpointer.load_rest(self)

    def _load_scaler(self, folder: str) -> None:
        """Do nothing: ``_load_optimizer_and_scheduler`` restores the scaler."""

    def _load_rng_state(self, folder: str) -> None:
        self.checkpointer.load_random(self)


def fit(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    train: Sequence[Encoded],
    val: Sequence[Encoded],
    arguments: SFTConfig,
    patience: int,
    min_improvement: float,
    callbacks: Sequence[TrainerCallback] = (),
    batching: Batching | None = None,
    autocast: torch.dtype | None = None,
    checkpointer: Checkpointer | None = None,
) -> Fit:
    """Train the adapter in place, and leave the best one (by validation loss) in it.

    Training resumes from the newest checkpoint of the same run, if there is one, with bit-identical
    results.

    Raises
    ------
    ValueError
        If a set is empty, an example is longer than the model's context, the loss or a gradient
        is no longer finite, or the first step left every B at 0.
    KeyboardInterrupt
        With a message that says from which step the next run resumes.
    """
    if not train or not val:
        empty = "training" if not train else "validation"
        raise ValueError(
            f"the {empty} set is empty; see metrics/details/split.json for the reasons"
        )
    context = model.config.max_position_embeddings
    for name, rows in (("training", train), ("validation", val)):
        mishaps.check_lengths(rows, context=context, name=name)
    best = BestAdapter(model, patience=patience, min_improvement=min_improvement)
    own = [best, SoundFit(model), *([checkpointer] if checkpointer else [])]
    trainer = _trainer(
        model, tokenizer, train=train, val=val, arguments=arguments, callbacks=[*own, *callbacks]
    )
    trainer.batching, trainer.autocast = batching, autocast
    trainer.checkpointer = checkpointer
    seconds, n_resumes = train_held(trainer)
    best.restore()
    log = trainer.state.log_history
    return Fit(
        n_steps=trainer.state.global_step,
        n_train_tokens=int(trainer.state.num_input_tokens_seen),
        initial_val_loss_nats=next(row["eval_loss"] for row in log if "eval_loss" in row),
        best_val_loss_nats=best.best_loss,
        best_step=best.best_step,
        stopped_early=best.stopped,
        seconds=seconds,
        n_resumes=n_resumes,
    )


def train_held(trainer: LabelledLossTrainer) -> tuple[float, int]:
    """Train to the end under the run's lock, and return the seconds and the number of resumes.

    Training resumes from the newest checkpoint, if there is one. The seconds cover all steps in the
    result, including those before a kill.

    Raises
    ------
    KeyboardInterrupt
        With a message that says from which step the next run resumes.
    """
    checkpointer = trainer.checkpointer
    beside_others = copied_project() is not None
    try:
        with held(checkpointer.run, wait=beside_others) if checkpointer else nullcontext():
            result = trainer.train(checkpointer.find() if checkpointer else None)
    except KeyboardInterrupt:
        step = trainer.state.global_step
        then = continues_from(checkpointer.run if checkpointer else None)
        raise KeyboardInterrupt(f"interrupted after step {step}; {then}") from None
    seconds = result.metrics["train_runtime"]
    if checkpointer is None:
        return seconds, 0
    return seconds + checkpointer.seconds_before, checkpointer.n_resumes


def reloaded_val_loss(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    val: Sequence[Encoded],
    arguments: SFTConfig,
    expected: float,
    autocast: torch.dtype | None = None,
) -> float:
    """Return the validation loss, in nats, of the adapter read back from disk.

    The adapter in memory is first overwritten with NaN, so that a tensor missing on disk is
    detected.

    Raises
    ------
    ValueError
        If its relative difference from ``expected`` is above 1e-4.
    """
    gc.collect()  # frees the trainer of the fit, so that frozen weights are not in memory twice
    trainer = _trainer(model, tokenizer, train=val, val=val, arguments=arguments, callbacks=[])
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.fill_(math.nan)
    trainer.autocast = autocast
    if _is_sharded(trainer):
        put_saved_adapter(model, load_file(folder / "adapter_model.safetensors"))
    else:
        load_trained(model, folder)
    loss = trainer.evaluate()["eval_loss"]
    if not math.isclose(loss, expected, rel_tol=1e-4):
        raise ValueError(
            f"the adapter in {folder} has a validation loss of {loss} nats when reloaded, "
            f"but had {expected} when it was saved; the file is damaged or incomplete: run the "
            "training again, from the last checkpoint"
        )
    return loss


def _trainer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    train: Sequence[Encoded],
    val: Sequence[Encoded],
    arguments: SFTConfig,
    callbacks: Sequence[TrainerCallback],
) -> LabelledLossTrainer:
    trainer = LabelledLossTrainer(
        model=model,
        args=arguments,
        train_dataset=_dataset(train),
        eval_dataset=_dataset(val),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    ready(trainer)
    return trainer


def ready(trainer: LabelledLossTrainer) -> None:
    """Prepare a new trainer: no printing, adapter in float32, layers fused if possible.

    TRL casts an adapter on quantized weights to bfloat16.
    """
    trainer.remove_callback(PrinterCallback)
    reduce_in_float32(trainer.accelerator)
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if not _is_sharded(trainer) and not why_not_fused(trainer.model):
        trainer.fused = FusedLlama(trainer.model)


def _is_sharded(trainer: LabelledLossTrainer) -> bool:
    """Return whether FSDP or DeepSpeed gathers each layer's weights when the layer is called."""
    return trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled


def _dataset(rows: Sequence[Encoded]) -> Dataset:
    return Dataset.from_list(
        [
            {
                "input_ids": row.input_ids,
                "labels": row.labels,
            }
            for row in rows
        ]
    )
