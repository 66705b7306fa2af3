"""params.yaml as typed, frozen records that reject unknown, missing or out-of-range values.

No field has a default value: params.yaml has every parameter.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from finllm.records import METRICS
from finllm.settings.checked_record import checked_record, one_of, parsed_yaml, text_of, within
from finllm.settings.prefer import Prefer


@dataclass(frozen=True)
class Data:
    """Folders under data/raw: the source of the experiment, and the source for transfer only."""

    source: str
    transfer_source: str

    def __post_init__(self) -> None:
        if self.source in ("", ".", "..") or "/" in self.source:
            raise ValueError(
                f"data.source is {self.source!r}; it must be a folder's name in data/raw"
            )
        if self.transfer_source in ("", ".", "..", self.source) or "/" in self.transfer_source:
            raise ValueError(
                f"data.transfer_source is {self.transfer_source!r}; it must be the name of a "
                f"folder under data/raw other than data.source ({self.source!r}), or none"
            )


@dataclass(frozen=True)
class Sample:
    """Fictional calls of the default source."""

    n_companies: int = within(8, 100_000)
    n_calls: int = within(8, 1_000_000)
    first_year: int = within(1990, 2100)
    n_short: int = within(0)
    n_offtopic: int = within(0)
    n_duplicates: int = within(0)
    language: str = one_of("en", "de")
    seed: int = within(0)


@dataclass(frozen=True)
class Clean:
    """Cleaning of raw text into transcripts."""

    max_reject_share: float = within(0, 1)
    repair_mojibake: bool
    infer_turns: bool
    remove_boilerplate: tuple[str, ...]
    standardise_notation: bool
    company_for_missing: str = one_of("id", "reject")


@dataclass(frozen=True)
class Filter:
    """Filtering of transcripts by length, financial terms, duplicates, outliers and support."""

    min_words: int = within(0)
    max_words: int = within(1)
    min_term_density: float = within(0, 1)
    duplicate_threshold: float = within(0, 1, above_low=True)
    duplicate_permutations: int = within(16, 4096)
    max_outlier_z: float = within(0, above_low=True)
    lexicon: str
    min_reference_support: float = within(0, 1)
    n_review: int = within(0, 100_000)
    seed: int = within(0)

    def __post_init__(self) -> None:
        if self.min_words >= self.max_words:
            raise ValueError(
                f"filter.min_words is {self.min_words} and filter.max_words is {self.max_words}; "
                "the first must be smaller"
            )


@dataclass(frozen=True)
class Weights:
    """Shares of the examples by template, which add up to 1."""

    understanding: float = within(0, 1)
    completion: float = within(0, 1)
    summarization: float = within(0, 1)
    questions: float = within(0, 1)

    def __post_init__(self) -> None:
        total = sum(dataclasses.astuple(self))
        if abs(total - 1) > 1e-9:
            raise ValueError(f"templatize.weights add up to {total:g}; they must add up to 1")


@dataclass(frozen=True)
class Templatize:
    """Conversion of transcripts into instruction examples."""

    weights: Weights
    paraphrases: bool
    system_prompt: str
    sentences: str = one_of("rule", "quoted")
    max_tokens: int = within(64, 1_000_000)
    max_answer_tokens: int = within(8, 100_000)
    max_examples: int = within(0)
    seed: int = within(0)

    def __post_init__(self) -> None:
        if self.max_answer_tokens * 2 > self.max_tokens:
            raise ValueError(
                f"templatize.max_answer_tokens is {self.max_answer_tokens} and "
                f"templatize.max_tokens is {self.max_tokens}; the answer may take at most half"
            )


@dataclass(frozen=True)
class Split:
    """Split of companies into train, validation, test and transfer sets."""

    mode: str = one_of("random", "chronological")
    embargo_quarters: int = within(0, 40)
    n_folds: int = within(0, 100)
    fold: int = within(0, 99)
    val_share: float = within(0, 0.9, above_low=True)
    test_share: float = within(0, 0.9, above_low=True)
    transfer_sectors: tuple[str, ...]
    train_templates: tuple[str, ...]
    augment_share: float = within(0, 1)
    max_train_examples: int = within(0)
    max_val_examples: int = within(0)
    max_test_examples: int = within(0)
    max_transfer_examples: int = within(0)
    max_reworded_examples: int = within(0)
    min_test_companies: int = within(2)
    seed: int = within(0)

    def __post_init__(self) -> None:
        if self.val_share + self.test_share >= 1:
            raise ValueError(
                f"split.val_share is {self.val_share} and split.test_share is {self.test_share}; "
                "together they must leave something for training (less than 1)"
            )
        if self.n_folds == 1 or self.fold >= max(1, self.n_folds):
            raise ValueError(
                f"split.fold is {self.fold} and split.n_folds is {self.n_folds}; n_folds must be 0 "
                "(off) or at least 2, and fold below it"
            )


@dataclass(frozen=True)
class Model:
    """The base model, and the quantization and types of its weights."""

    name: str
    revision: str
    gguf_package: str
    gguf_file: str
    backend: str = one_of("auto", "liger", "unsloth")
    quantization: str = one_of("nf4", "fp4", "int8", "none")
    double_quantization: bool
    compute_dtype: str = one_of("auto", "bfloat16", "float32", "float16")
    attention: str = one_of("auto", "matmul", "sdpa", "eager", "flash_attention_2")


@dataclass(frozen=True)
class Lora:
    """The LoRA adapter."""

    r: int = within(1, 1024)
    alpha: float = within(0, above_low=True)
    dropout: float = within(0, 0.9)
    targets: str = one_of("all-linear", "attention", "query-value")
    rslora: bool
    dora: bool


@dataclass(frozen=True)
class Train:
    """Fine-tuning."""

    method: str = one_of("lora", "full")
    learning_rate: float = within(0, 1, above_low=True)
    warmup_share: float = within(0, 1)
    schedule: str = one_of("cosine", "cosine_with_restarts", "linear", "constant")
    restarts: int = within(1, 1000)
    epochs: float = within(0, 1000, above_low=True)
    max_steps: int = within(0)
    batching: str = one_of("length_buckets", "shuffle", "token_budget", "packing")
    batch_size: int = within(1, 4096)
    tokens_per_batch: int = within(1, 10_000_000)
    accumulation: int = within(1, 4096)
    max_grad_norm: float = within(0, above_low=True)
    weight_decay: float = within(0, 1)
    optimizer: str = one_of("adamw", "adamw_8bit", "paged_adamw_8bit")
    checkpoint_layers: int = within(0, 1000)
    unstated_figures: str = one_of("learn", "mask")
    evals_per_run: int = within(1, 1000)
    early_stopping_patience: int = within(0, 1000)
    early_stopping_min_improvement: float = within(0)
    checkpoint_every: int = within(0)
    launcher: str = one_of("single", "ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3")
    devices: int = within(0, 4096)
    seed: int = within(0)


@dataclass(frozen=True)
class Predict:
    """Generation of answers by the models."""

    backend: str = one_of("auto", "vllm")
    max_new_tokens: int = within(1, 100_000)
    batch_size: int = within(1, 4096)
    quantization: str = one_of("none", "nf4", "fp4", "int8")
    grounding: str = one_of("none", "figures")
    repetition: str = one_of("allow", "bullets", "figures")
    stop_penalty: float = within(0, 100)
    few_shot: int = within(0, 64)
    robustness_examples: int = within(0, 1_000_000)
    typo_share: float = within(0, 1)
    latency_prompts: int = within(0, 1000)
    seed: int = within(0)

    def __post_init__(self) -> None:
        without = {"quantization": "none", "grounding": "none", "repetition": "allow"}
        for key, value in {**without, "stop_penalty": 0}.items():
            if self.backend == "vllm" and vars(self)[key] != value:
                raise ValueError(
                    f"predict.backend is vllm and predict.{key} is {vars(self)[key]}, which "
                    f"only predict.backend auto supports; set predict.{key} to {value}"
                )


@dataclass(frozen=True)
class Evaluate:
    """Scoring of the answers."""

    encoder: str
    encoder_package: str
    encoder_layer: int = within(1, 200)
    encoder_batch_size: int = within(1, 4096)
    n_bootstrap: int = within(1, 1_000_000)
    seed: int = within(0, 2**32 - 1)


@dataclass(frozen=True)
class Verdict:
    """The decision and its metric, fixed before the run."""

    primary_metric: str = one_of(*METRICS)
    candidate: str = one_of("tuned", "preferred")
    alpha: float = within(0, 0.5, above_low=True)
    rope: float = within(0, 1)


@dataclass(frozen=True)
class Significance:
    """Frequentist tests."""

    n_permutations: int = within(99, 10_000_000)
    n_bootstrap: int = within(99, 10_000_000)
    seed: int = within(0)


@dataclass(frozen=True)
class BayesStats:
    """Bayesian model of the paired differences."""

    prior_scale: float = within(0, 100, above_low=True)
    n_draws: int = within(100, 1_000_000)
    n_tune: int = within(100, 1_000_000)
    n_chains: int = within(2, 64)
    hdi_probability: float = within(0.5, 0.999)
    seed: int = within(0)


@dataclass(frozen=True)
class Report:
    """Content of the report."""

    include_text: bool
    n_examples: int = within(0, 1000)


@dataclass(frozen=True)
class Execution:
    """Where the stages run, which does not affect any result."""

    engine: str = one_of("local", "ray")


@dataclass(frozen=True)
class Plan:
    """Hardware that ``finllm plan`` compares with; no stage reads it."""

    device: str = one_of("cpu", "cuda")
    device_gb: float = within(0, above_low=True)
    devices: int = within(1, 4096)
    peak_tflops: float = within(0, above_low=True)
    utilisation: float = within(0, 1, above_low=True)
    peak_tflops_float32: float = within(0, above_low=True)
    utilisation_float32: float = within(0, 1, above_low=True)


@dataclass(frozen=True)
class Search:
    """Sampling and pruning of the trials of ``finllm search``; no stage reads it."""

    n_startup_trials: int = within(1, 10_000)
    prune: bool
    seed: int = within(0, 2**32 - 1)


@dataclass(frozen=True)
class Params:
    """All sections of params.yaml."""

    data: Data
    sample: Sample
    clean: Clean
    filter: Filter
    templatize: Templatize
    split: Split
    model: Model
    lora: Lora
    train: Train
    prefer: Prefer
    predict: Predict
    evaluate: Evaluate
    verdict: Verdict
    significance: Significance
    bayes_stats: BayesStats
    report: Report
    execution: Execution
    plan: Plan
    search: Search

    def __post_init__(self) -> None:
        weights = dataclasses.asdict(self.templatize.weights)
        if unknown := [name for name in self.split.train_templates if not weights.get(name)]:
            raise ValueError(
                f"split.train_templates has {unknown[0]!r}; the templates with a weight are "
                f"{', '.join(name for name, weight in weights.items() if weight)} "
                "(templatize.weights)"
            )
        if self.train.method == "full" and self.model.quantization != "none":
            raise ValueError(
                f"train.method is full and model.quantization is {self.model.quantization}; "
                "quantized weights cannot be trained: set model.quantization to none"
            )
        if self.model.backend == "unsloth" and (
            self.train.method == "full" or self.lora.dora or self.model.quantization == "fp4"
        ):
            raise ValueError(
                "model.backend is unsloth, which trains LoRA over nf4, int8 or none; set "
                "train.method to lora, lora.dora to false and model.quantization to one of these"
            )
        if self.prefer.method != "none" and self.train.method == "full":
            raise ValueError(
                f"prefer.method is {self.prefer.method} and train.method is full; preference "
                "tuning needs an adapter: set train.method to lora or prefer.method to none"
            )
        if self.verdict.candidate == "preferred" and self.prefer.method == "none":
            raise ValueError(
                "verdict.candidate is preferred and prefer.method is none: there is no preferred "
                "model; set prefer.method to dpo, ipo, simpo or kto, or verdict.candidate to tuned"
            )


def load_params(path: Path) -> Params:
    """Read and check a params.yaml (YAML 1.2, so that 2e-4 is a number).

    Raises
    ------
    ValueError
        If the file is missing, is not YAML, or a key or value is not allowed. The message names
        the key, the value and the allowed values.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file; it must contain every parameter of the pipeline")
    return check_params(text_of(path), str(path))


def check_params(text: str, where: str) -> Params:
    """Check the text of a params.yaml and return its parameters; ``where`` names it in messages.

    Raises
    ------
    ValueError
        As ``load_params``, except for a missing file.
    """
    raw = parsed_yaml(text, where)
    try:
        return checked_record(Params, raw)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
