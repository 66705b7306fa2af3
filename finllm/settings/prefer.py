"""The section ``prefer`` of params.yaml; ``finllm.settings.params`` has the others."""

from __future__ import annotations

from dataclasses import dataclass

from finllm.settings.checked_record import one_of, within


@dataclass(frozen=True)
class PairWeights:
    """Shares of the preference pairs by kind, which add up to 1."""

    corrupted: float = within(0, 1)
    sampled: float = within(0, 1)
    rated: float = within(0, 1)

    def __post_init__(self) -> None:
        total = self.corrupted + self.sampled + self.rated
        if abs(total - 1) > 1e-9:
            raise ValueError(f"prefer.weights add up to {total:g}; they must add up to 1")


@dataclass(frozen=True)
class Prefer:
    """Preference tuning."""

    method: str = one_of("none", "dpo", "ipo", "simpo", "kto")
    reference: str = one_of("tuned", "base", "none")
    beta: float = within(0, 1000, above_low=True)
    margin: float = within(0, 1000)
    learning_rate: float = within(0, 1, above_low=True)
    epochs: float = within(0, 1000, above_low=True)
    batch_size: int = within(1, 4096)
    accumulation: int = within(1, 4096)
    weights: PairWeights
    max_pairs: int = within(0)
    samples: int = within(2, 1000)
    temperature: float = within(0, 10, above_low=True)
    max_prompts: int = within(0)
    val_share: float = within(0, 1)
    seed: int = within(0)

    def __post_init__(self) -> None:
        if self.method == "kto" and self.reference == "none":
            raise ValueError(
                "prefer.method is kto and prefer.reference is none; its loss is flat where an "
                "answer is far from a reference: set prefer.reference to tuned or base"
            )
        if self.method == "simpo" and self.beta < 1:
            raise ValueError(
                f"prefer.beta is {self.beta:g} and prefer.method is simpo, whose target lead is "
                f"prefer.margin / prefer.beta, here {self.margin / self.beta:g} nats a token; set "
                "prefer.beta to 2 or more"
            )
