"""Preference tuning from its parameters: make pairs, train the tuned adapter, write results."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from finllm.answering.predicting import load_answerer
from finllm.instruct import chat, splits
from finllm.model import arithmetic
from finllm.model.adapter import save_adapter
from finllm.model.compute_type import resolved
from finllm.model.loading import load_base, recompute_layers
from finllm.model.lora_linear import use_lean_lora
from finllm.model.process_memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder, checkpoint_root, file_sha256, weights_sha256
from finllm.preference.corrupted import UNSTATED_LINES, corrupted_pairs, stated_lines
from finllm.preference.encoding import EncodedPair, encode_pairs, with_other_answers
from finllm.preference.losses import KTO, PreferenceLoss, check_method
from finllm.preference.pairs import (
    CORRUPTED,
    RATED,
    SAMPLED,
    Pair,
    audited,
    check_kinds,
    counted,
    mixed,
    rated_pairs,
    sampled_pairs,
    with_parts,
    with_reference,
)
from finllm.preference.samples import drawn_answers
from finllm.preference.trainer import PreferenceFit, fit_pairs
from finllm.rating.answered import read_answered
from finllm.rating.clicks import read_folder
from finllm.records import Example, csv_text, write_jsonl, write_metrics, write_text
from finllm.runtime import screen
from finllm.runtime.provenance import provenance
from finllm.settings.params import Params
from finllm.training.arguments import common_settings, training_arguments
from finllm.training.checkpoints import run_folder
from finllm.training.forgetting import general_perplexity
from finllm.training.mishaps import memory_explained
from finllm.training.monitors import Monitor
from finllm.training.progress import Progress
from finllm.training.resume import Checkpointer

CURVE = ("step", "loss", "accuracy", "lead_nats", "chosen_nats", "drift_nats")
NO_STEP = "no step lowered the loss on the pairs left out"
FAR = 0.5  # nats per token; a model that has drifted this far from its start is another model


def prefer(
    params: Params,
    sets: Mapping[str, Sequence[Example]],
    groups: Mapping[str, str],
    *,
    ratings: Path,
    adapter: Path,
    preferred: Path,
    pairs: Path,
    curve: Path,
    metrics: Path,
    costs: Path,
) -> PreferenceFit:
    """Make the pairs, train on them, and write the pairs, adapter, curve, metrics and costs.

    Parameters
    ----------
    sets
        The four sets of the split; pairs are made from ``train`` alone.
    groups
        The near-duplicate group of each transcript that is in one.
    ratings
        Folder with people's ratings of answers to training examples.
    adapter
        The tuned adapter, from which training starts.

    Raises
    ------
    ValueError
        If TRL lacks the method, the adapter is for another base model, or no pairs are left.
    """
    params = replace(params, model=resolved(params.model))
    m, p = params.model, params.prefer
    check_method(p.method)
    check_adapter(adapter, name=m.name, revision=m.revision)
    folder = base_folder(m)
    tokenizer = load_tokenizer(folder, revision=m.revision)
    made, left_out = make_pairs(
        params, sets["train"], groups, tokenizer, ratings=ratings, adapter=adapter
    )
    audit = audited(made, sets, groups)
    encoded = encode_pairs(tokenizer, made, sets["train"], params.templatize.system_prompt)
    if p.method == KTO:
        encoded = with_other_answers(encoded)
    parts = [
        [row for row, pair in zip(encoded, made, strict=True) if pair.part == part]
        for part in ("train", "val")
    ]
    write_jsonl(pairs, made)
    screen.working("loading the model")
    model = load_tuned(params, folder, adapter)
    tuned_perplexity = general_perplexity(model, tokenizer)
    checkpointer = _checkpointer(params, folder, adapter, *parts)
    monitor = Monitor(model, max_grad_norm=params.train.max_grad_norm)
    result = _fit(params, model, tokenizer, *parts, checkpointer=checkpointer, monitor=monitor)
    for _, text in alarms(result):
        screen.warn(f"prefer: {text}")
    save_adapter(model, preferred, base_name=m.name, revision=m.revision)
    write_text(curve, csv_text(CURVE, ([row[name] for name in CURVE] for row in result.log)))
    perplexity = general_perplexity(model, tokenizer)
    watched = monitor.summary()
    sounded = {**watched.pop("alarms"), **dict.fromkeys((k for k, _ in alarms(result)), 1)}
    found = {
        "method": p.method,
        "reference": p.reference,
        **counted(made),
        "kinds_by_part": {
            part: dict(sorted(Counter(pair.kind for pair in made if pair.part == part).items()))
            for part in ("train", "val")
        },
        "left_out": dict(left_out),
        "audit": asdict(audit),
        "n_steps": result.n_steps,
        "best_step": result.best_step,
        "stopped_early": result.stopped_early,
        "before": asdict(result.before),
        "after": asdict(result.after),
        "alarms": sounded,
        **watched,
        "forgetting": {
            "tuned_perplexity": tuned_perplexity,
            "preferred_perplexity": perplexity,
            "ratio": perplexity / tuned_perplexity,
        },
        "adapter_sha256": file_sha256(preferred / "adapter_model.safetensors"),
        "provenance": asdict(
            provenance(processor=arithmetic.processor_in_words(), dtype=str(model.config.dtype))
        ),
        "cost": {
            "seconds": result.seconds,
            "n_resumes": result.n_resumes,
            "peak_memory_gb": peak_memory_gb(),
            "adapter_mb": os.path.getsize(preferred / "adapter_model.safetensors") / 1e6,
        },
    }
    write_metrics(metrics, costs, found)
    checkpointer.remove()
    return result


def check_adapter(adapter: Path, *, name: str, revision: str) -> None:
    """Raise if an adapter is missing, or was trained on another base model.

    Raises
    ------
    ValueError
        If either is the case; for another base model, the message names both.
    """
    file = adapter / "adapter_config.json"
    if not file.is_file():
        raise ValueError(f"{adapter} does not contain an adapter; run `dvc repro train` first")
    config = json.loads(file.read_text(encoding="utf-8"))
    found = config["base_model_name_or_path"], config.get("revision") or ""
    if found != (name, revision):
        there, wanted = (" at ".join(filter(None, base)) for base in (found, (name, revision)))
        raise ValueError(
            f"the tuned adapter in {adapter} was trained on the base model {there}, but "
            f"model.name is {wanted}; run `dvc repro train` again"
        )


def make_pairs(
    params: Params,
    train: Sequence[Example],
    groups: Mapping[str, str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    ratings: Path,
    adapter: Path,
) -> tuple[list[Pair], Counter[str]]:
    """Return the pairs of all kinds, mixed by weight, and counts of what is left out, by reason."""
    p, system = params.prefer, params.templatize.system_prompt
    weights = {CORRUPTED: p.weights.corrupted, SAMPLED: p.weights.sampled, RATED: p.weights.rated}
    rng = np.random.default_rng(p.seed)
    examples, n_lines = stated_lines(with_reference(train))
    found: list[Pair] = []
    left_out: Counter[str] = Counter()
    if weights[CORRUPTED] or weights[SAMPLED]:
        left_out[UNSTATED_LINES] = n_lines
    if weights[CORRUPTED]:
        corrupted, right = corrupted_pairs(examples, rng)
        found += corrupted
        left_out.update(right)
    if weights[RATED]:
        prompts = {
            row.id: chat.prompt_sha256(chat.render_example(tokenizer, row, system)) for row in train
        }
        rated, unused = rated_pairs(read_folder(ratings), read_answered(ratings), train, prompts)
        found += rated
        left_out.update(unused)
    check_kinds(
        found, {kind: weights[kind] for kind in (CORRUPTED, RATED)}
    )  # before sampling, which takes minutes
    if weights[SAMPLED]:
        screen.working("drawing answers")
        asked = splits.cap(examples, p.max_prompts, rng)
        drawn = drawn_answers(
            load_answerer(params, weights=adapter),
            asked,
            system,
            n=p.samples,
            temperature=p.temperature,
            seed=p.seed,
        )
        ranked, unpaired = sampled_pairs(asked, drawn)
        found += ranked
        left_out.update(unpaired)
        gc.collect()  # frees the model that was sampled
    kept = mixed(found, weights, max_pairs=p.max_pairs, rng=rng)
    units = splits.company_units(train, groups)
    return with_parts(kept, units, val_share=p.val_share, rng=rng), left_out


def load_tuned(params: Params, folder: str, adapter: Path) -> PeftModel:
    """Load the frozen base with the tuned adapter on it, ready for training."""
    m = params.model
    model = load_base(
        folder,
        revision=m.revision,
        quantization=m.quantization,
        double_quantization=m.double_quantization,
        compute_dtype=m.compute_dtype,
        attention_kernel=m.attention,
    )
    model.requires_grad_(False)
    recompute_layers(model, params.train.checkpoint_layers)
    tuned = PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    if not tuned.peft_config["default"].use_dora:
        use_lean_lora(tuned)
    return tuned


def alarms(result: PreferenceFit) -> list[tuple[str, str]]:
    """Return the problems with the result of a training, as (kind, sentence)."""
    if result.best_step == 0:  # nothing has moved, up to rounding
        said = "the preferred model is the tuned model; change prefer.learning_rate or prefer.beta"
        return [("no_improvement", f"{NO_STEP}: {said}")]
    found, after = [], result.after
    if after.chosen_nats < 0:
        found.append(
            (
                "chosen_fell",
                "the chosen answers have become less probable too, by "
                f"{-after.chosen_nats:.3f} nats per token; lower prefer.learning_rate or raise "
                "prefer.beta",
            )
        )
    if after.drift_nats > FAR:
        found.append(
            (
                "drift",
                f"the model has drifted {after.drift_nats:.2f} nats per token from its start; "
                "lower prefer.learning_rate or prefer.epochs",
            )
        )
    return found


def _fit(
    params: Params,
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Sequence[EncodedPair],
    val: Sequence[EncodedPair],
    *,
    checkpointer: Checkpointer,
    monitor: Monitor,
) -> PreferenceFit:
    p = params.prefer
    memory = memory_explained(
        [one for row in train for one in row.apart],
        p.batch_size,
        recomputes=params.train.checkpoint_layers == 1,
    )
    with tempfile.TemporaryDirectory() as scratch, _own_keys(), memory:
        arguments = training_arguments(
            output_dir=scratch,
            n_train=len(train),
            learning_rate=p.learning_rate,
            epochs=p.epochs,
            max_steps=0,
            batch_size=p.batch_size,
            accumulation=p.accumulation,
            seed=p.seed,
            **common_settings(params),
        )
        screen.note(
            f"prefer: {len(train)} pairs, {p.batch_size * p.accumulation} a step, "
            f"{arguments.max_steps} steps, in {params.model.compute_dtype}"
        )
        return fit_pairs(
            model,
            tokenizer,
            PreferenceLoss(p.method, beta=p.beta, margin=p.margin),
            train=train,
            val=val,
            reference=p.reference,
            arguments=arguments,
            patience=params.train.early_stopping_patience,
            callbacks=[monitor, Progress()],
            checkpointer=checkpointer,
        )


@contextlib.contextmanager
def _own_keys() -> Iterator[None]:
    """In errors from the trainer of the stage `train`, replace its keys by those of this stage."""
    try:
        yield
    except ValueError as error:
        said = str(error)
        for key in ("learning_rate", "batch_size", "accumulation"):
            said = said.replace(f"train.{key}", f"prefer.{key}")
        raise ValueError(said) from None


def _checkpointer(
    params: Params,
    folder: str,
    adapter: Path,
    train: Sequence[EncodedPair],
    val: Sequence[EncodedPair],
) -> Checkpointer:
    code = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        code.update(source.read_bytes())
    settings = {
        "model": vars(params.model),
        "weights": weights_sha256(folder, params.model.revision, adapter),
        "prefer": {**vars(params.prefer), "weights": vars(params.prefer.weights)},
        "train": {**vars(params.train), "checkpoint_every": 0},
        "code": code.hexdigest(),
        "torch": torch.__version__,
    }
    sets = {
        name: [one for row in rows for one in row.apart]
        for name, rows in (("train", train), ("val", val))
    }
    run = run_folder(checkpoint_root(), settings=settings, sets=sets)
    return Checkpointer(run, every=params.train.checkpoint_every)
