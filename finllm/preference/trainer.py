"""Preference training: the trainer of the stage `train`, with a preference loss."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTConfig

from finllm.model.head_loss import HeadLosses
from finllm.preference.encoding import EncodedPair, Nats, collate, dataset
from finllm.preference.losses import PreferenceLoss
from finllm.training import mishaps
from finllm.training.batching import Batching
from finllm.training.callbacks import BestAdapter, SoundFit
from finllm.training.resume import Checkpointer
from finllm.training.trainer import LabelledLossTrainer, ready, train_held

OF_PAIR = 2  # answers with a gradient, chosen and rejected


@dataclass(frozen=True)
class Standing:
    """Metrics of a model on pairs that it is not trained on.

    Ignore the accuracy before the first step: with the tuned model as the reference, all leads are
    zero there, up to rounding.
    """

    loss: float
    accuracy: float  # share of pairs in which the chosen answer leads
    lead_nats: float  # mean lead of the chosen answer, as the loss defines it
    chosen_nats: float  # change of the chosen answer's log-probability per token since the start
    drift_nats: float  # the same in absolute value, as the mean over both answers


@dataclass(frozen=True)
class PreferenceFit:
    """Results of a training on pairs."""

    n_steps: int
    before: Standing
    after: Standing  # at the best step
    best_step: int
    stopped_early: bool
    seconds: float  # for all steps in the result, including those before a kill
    n_resumes: int
    log: list[dict[str, float]]  # one row per step


class ReachedAdapter(SoundFit):
    """Callback that raises if the loss is not finite or no gradient reaches the adapter.

    ``SoundFit`` looks for B matrices at 0, where a tuned adapter does not start.
    """

    def on_pre_optimizer_step(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Raise if all gradients of the first step are 0."""
        if state.global_step > 0:
            return
        weights = [p for p in self.model.parameters() if p.requires_grad]
        if not any(p.grad is not None and p.grad.any() for p in weights):
            raise ValueError(
                "no gradient of the first step reaches the adapter; see train.checkpoint_layers, "
                "lora.targets and model.quantization"
            )


class PreferenceTrainer(LabelledLossTrainer):
    """Trainer that passes each pair's prompt through the fused layers once, for all of its answers.

    If the layers are not fused, each answer is processed with its own copy of the prompt. The loss
    of a step is the mean over its pairs, however they are accumulated.
    """

    preference: PreferenceLoss
    _seen: tuple[torch.Tensor, ...] = ()  # of this step, one row per pair

    def pair_nats(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the log-probability of each answer, summed over its tokens: (pairs, answers).

        As in TRL's ``KTOTrainer``, answers to other prompts have no gradient, so that the memory is
        that of two answers per pair.
        """
        ids = inputs["input_ids"][inputs["attention_mask"].bool()]
        n_prompt, counts = inputs["n_prompt"], inputs["n_answers"]
        if counts.shape[1] == OF_PAIR or not torch.is_grad_enabled():
            return self._nats(ids, n_prompt, counts)
        own, other = _with_and_without_gradient(ids, n_prompt, counts)
        with torch.no_grad():
            nats = self._nats(other, n_prompt, counts[:, OF_PAIR:])
        return torch.cat([self._nats(own, n_prompt, counts[:, :OF_PAIR]), nats], dim=1)

    def _nats(
        self, ids: torch.Tensor, n_prompt: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        base = self.accelerator.unwrap_model(self.model).get_base_model()
        laid_out = _laid_out(n_prompt.tolist(), counts.tolist())
        if self.fused is not None:
            hidden = self._states_read_once(ids, laid_out)
        else:
            hidden = _states_read_apart(base, ids, laid_out)
        labels = torch.cat([ids[answer] for _, answer in laid_out])
        nats = -HeadLosses.apply(hidden, base.lm_head.weight, labels)
        return torch.stack([part.sum() for part in nats.split(counts.flatten().tolist())]).view(
            counts.shape
        )

    def _states_read_once(
        self, ids: torch.Tensor, laid_out: Sequence[tuple[slice, slice]]
    ) -> torch.Tensor:
        """Return the hidden states that predict the tokens of each answer, by the fused layers."""
        starts, prompts, before = [], [], []
        for prompt, answer in laid_out:
            first = answer.start == prompt.stop  # forms one example with its prompt
            starts.append(prompt.start if first else answer.start)
            prompts.append(slice(0, 0) if first else prompt)
            before += [prompt.stop - 1, *range(answer.start, answer.stop - 1)]
        hidden = self.fused.hidden_states(ids, [*starts, len(ids)], prompts)
        return hidden.index_select(0, torch.tensor(before))

    def compute_loss(
        self,
        model: PeftModel,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the batch's share of the mean loss over a step's pairs."""
        nats, n_answer = self.pair_nats(inputs), inputs["n_answers"]
        self._seen = (*self._seen, self._watched(nats.detach(), inputs, n_answer))
        loss = self.preference.mean(nats, inputs["reference"], n_answer)
        n_pairs = len(nats) if num_items_in_batch is None else num_items_in_batch
        return loss * len(nats) / n_pairs

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict], num_batches: int, device: torch.device
    ) -> tuple[list[dict], torch.Tensor]:
        """Return the batches of one step and the number of their pairs."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        return batches, torch.tensor(sum(len(batch["input_ids"]) for batch in batches))

    @torch.no_grad()
    def evaluation_loop(
        self,
        dataloader: DataLoader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Return the metrics of the model on the pairs of a set, each pair counted once."""
        self.model.eval()
        losses, watched = 0.0, []
        for inputs in dataloader:
            nats, n_answer = self.pair_nats(inputs), inputs["n_answers"]
            watched.append(self._watched(nats, inputs, n_answer))
            loss = self.preference.mean(nats, inputs["reference"], n_answer)
            losses += float(loss) * len(nats)
        n = len(dataloader.dataset)
        found = {"loss": losses / n, **_means(watched)}
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        return EvalLoopOutput(None, None, metrics, n)

    @torch.no_grad()
    def all_nats(self, rows: Sequence[EncodedPair]) -> Nats:
        """Return the log-probabilities of all answers under the current model."""
        self.model.eval()
        size = self.args.per_device_eval_batch_size
        data = dataset(rows).to_list()
        batches = [collate(data[i : i + size]) for i in range(0, len(data), size)]
        return [
            pair
            for batch in batches
            for pair in self.pair_nats(self._prepare_inputs(batch)).tolist()
        ]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write the trainer's log; for a training step, add the metrics of its pairs."""
        if "loss" in logs and self._seen:
            logs.update(_means(self._seen))
        self._seen = ()
        super().log(logs, start_time)

    def _watched(
        self, nats: torch.Tensor, inputs: dict[str, torch.Tensor], n_answer: torch.Tensor
    ) -> torch.Tensor:
        """Return the chosen answer's lead, its gain and the drift per token, shape (pairs, 3)."""
        leads = self.preference.leads(nats, inputs["reference"], n_answer)
        moved = ((nats - inputs["start"]) / n_answer)[:, :2]
        return torch.stack([leads, moved[:, 0], moved.abs().mean(dim=1)], dim=1)

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = [*("input_ids", "n_prompt", "n_answers", "reference", "start")]


def fit_pairs(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    loss: PreferenceLoss,
    *,
    train: Sequence[EncodedPair],
    val: Sequence[EncodedPair],
    reference: str,
    arguments: SFTConfig,
    patience: int,
    callbacks: Sequence[TrainerCallback] = (),
    checkpointer: Checkpointer | None = None,
) -> PreferenceFit:
    """Train the adapter in place, and leave the best one (by validation loss) in it.

    Training resumes from the newest checkpoint of the same run, if there is one, with bit-identical
    results. Dropout is off, as in TRL: policy and reference differ only in their weights.

    Parameters
    ----------
    reference
        ``tuned``: the adapter as given; ``base``: without the adapter; ``none``: a reference for
        which all answers are equally probable. No second model is kept in memory, because the
        reference's log-probabilities are computed before the first step.

    Raises
    ------
    ValueError
        If an answer with its prompt is longer than the model's context, or the loss or a gradient
        is no longer finite, or no gradient of the first step reaches the adapter.
    KeyboardInterrupt
        With a message that says from which step the next run resumes.
    """
    context = model.config.max_position_embeddings
    for name, rows in (("training", train), ("validation", val)):
        apart = [one for row in rows for one in row.apart]
        mishaps.check_lengths(apart, context=context, name=f"preference {name}")
    _drop_nothing(model)
    best = BestAdapter(model, patience=patience, min_improvement=0.0)
    own = [best, ReachedAdapter(model), *([checkpointer] if checkpointer else [])]
    trainer = new_trainer(model, tokenizer, train, val, arguments, [*own, *callbacks])
    trainer.preference, trainer.checkpointer = loss, checkpointer
    trainer.batching = Batching("length_buckets", arguments.per_device_train_batch_size, 0)
    trainer.train_dataset = with_reference(trainer, train, reference)
    trainer.eval_dataset = with_reference(trainer, val, reference)
    seconds, n_resumes = train_held(trainer)
    best.restore()
    log = trainer.state.log_history
    standings = {row["step"]: _standing(row) for row in log if "eval_loss" in row}
    return PreferenceFit(
        n_steps=trainer.state.global_step,
        before=standings[0],
        after=standings[best.best_step],
        best_step=best.best_step,
        stopped_early=best.stopped,
        seconds=seconds,
        n_resumes=n_resumes,
        log=[row for row in log if "loss" in row],
    )


def new_trainer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Sequence[EncodedPair],
    val: Sequence[EncodedPair],
    arguments: SFTConfig,
    callbacks: Sequence[TrainerCallback],
) -> PreferenceTrainer:
    """Return a trainer on pairs, with fused layers if possible and the adapter in float32."""
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    trainer = PreferenceTrainer(
        model=model,
        args=arguments,
        data_collator=collate,
        train_dataset=dataset(train),
        eval_dataset=dataset(val),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    for name, parameter in model.named_parameters():
        if name in trained:  # the values before TRL rounded them
            parameter.data = trained[name]
    ready(trainer)
    return trainer


def with_reference(
    trainer: PreferenceTrainer, rows: Sequence[EncodedPair], reference: str
) -> Dataset:
    """Return the pairs with log-probabilities under the reference and under the current model."""
    start = trainer.all_nats(rows)
    if reference != "base":
        return dataset(rows, start if reference == "tuned" else None, start)
    fused, trainer.fused = trainer.fused, None  # the fused layers include the adapter
    try:
        with trainer.model.disable_adapter():
            return dataset(rows, trainer.all_nats(rows), start)
    finally:
        trainer.fused = fused


def _drop_nothing(model: PeftModel) -> None:
    model.peft_config["default"].lora_dropout = 0.0
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _laid_out(
    n_prompt: Sequence[int], n_answers: Sequence[Sequence[int]]
) -> list[tuple[slice, slice]]:
    """Return the (prompt, answer) slices of every answer, for pairs that are concatenated."""
    found, at = [], 0
    for n, lengths in zip(n_prompt, n_answers, strict=True):
        prompt = slice(at, at + n)
        ends = list(itertools.accumulate(lengths, initial=prompt.stop))
        found += [(prompt, slice(*answer)) for answer in itertools.pairwise(ends)]
        at = ends[-1]
    return found


def _with_and_without_gradient(
    ids: torch.Tensor, n_prompt: torch.Tensor, counts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the concatenated ids of the pairs, and those of the prompts with the other answers."""
    own, other = [], []
    for row, n, lengths in zip(
        ids.split((n_prompt + counts.sum(dim=1)).tolist()), n_prompt, counts, strict=True
    ):
        end = n + lengths[:OF_PAIR].sum()
        own.append(row[:end])
        other += [row[:n], row[end:]]
    return torch.cat(own), torch.cat(other)


def _states_read_apart(
    base: PreTrainedModel, ids: torch.Tensor, laid_out: Sequence[tuple[slice, slice]]
) -> torch.Tensor:
    """Return the hidden states that predict each answer's tokens, by the model's own layers."""
    rows = torch.nn.utils.rnn.pad_sequence(
        [torch.cat([ids[prompt], ids[answer]]) for prompt, answer in laid_out], batch_first=True
    )
    places = torch.arange(rows.shape[1], device=ids.device)
    first = torch.tensor([prompt.stop - prompt.start for prompt, _ in laid_out], device=ids.device)
    n = torch.tensor([answer.stop - answer.start for _, answer in laid_out], device=ids.device)
    mask = _mask(places < (first + n)[:, None])
    hidden = base.model(input_ids=rows, attention_mask=mask, use_cache=False)[0]
    return hidden[(places >= first[:, None] - 1) & (places < (first + n)[:, None] - 1)]


def _mask(real: torch.Tensor) -> torch.Tensor | None:
    """Return the attention mask; None on a GPU, whose fused kernels it would rule out.

    Padding is on the right, where causality alone hides it.
    """
    return None if real.device.type == "cuda" else real.long()


def _means(watched: Sequence[torch.Tensor]) -> dict[str, float]:
    rows = torch.cat(list(watched)).double()
    leads, chosen, drift = rows.mean(dim=0).tolist()
    return {
        "accuracy": (rows[:, 0] > 0).double().mean().item(),
        "lead_nats": leads,
        "chosen_nats": chosen,
        "drift_nats": drift,
    }


def _standing(row: dict[str, Any]) -> Standing:
    names = ("loss", "accuracy", "lead_nats", "chosen_nats", "drift_nats")
    return Standing(*(row[f"eval_{name}"] for name in names))
