"""Perplexity of the test references under the base and the tuned model, and its change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from finllm.records import Example, ReferenceLoss
from finllm.stats.inference import infer_mean

Report = dict[str, dict[str, float]]


def reference_perplexity(
    examples: Sequence[Example],
    losses: Mapping[str, Sequence[ReferenceLoss]],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> Report:
    """Return the loss of each model and the difference in log-likelihood per token.

    A model's ``nats_per_token`` is the sum of nats over the sum of tokens, and ``perplexity`` is
    its exponential (Jelinek et al. 1977). ``difference`` is tuned minus base in each example's mean
    log-likelihood per token, as a mean of company means with the interval of ``infer_mean``.
    Positive is better; it is left out with fewer than two companies. Models with different
    tokenizers cannot be compared in this way. The result is empty if nothing was measured.

    Raises
    ------
    ValueError
        If a model's losses do not match the examples, or the token counts of the models differ.
    """
    if not any(losses.values()):
        return {}
    by_model = {model: {row.example_id: row for row in rows} for model, rows in losses.items()}
    for model, rows in by_model.items():
        odd = {example.id for example in examples} ^ rows.keys()
        if odd or len(rows) < len(losses[model]):
            raise ValueError(
                f"the reference losses of {model} are not those of the test examples: "
                f"{min(odd, default='an example occurs twice')}; run predict again"
            )
    found = {model: _total(rows) for model, rows in losses.items()}
    gains = []
    for example in examples:
        base, tuned = (by_model[model][example.id] for model in ("base", "tuned"))
        if base.n_tokens != tuned.n_tokens:
            raise ValueError(
                f"{example.id}: the reference has {base.n_tokens} tokens for base and "
                f"{tuned.n_tokens} for tuned; run predict again for both"
            )
        gains.append((base.nats - tuned.nats) / base.n_tokens)
    companies = [example.company for example in examples]
    if len(set(companies)) > 1:
        one = infer_mean(
            gains,
            companies,
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng(seed),
        )
        found["difference"] = {
            "estimate": one.estimate,
            "low": one.low,
            "high": one.high,
            "n_companies": one.n_clusters,
            "n_examples": one.n,
        }
    return found


def _total(rows: Sequence[ReferenceLoss]) -> dict[str, float]:
    n_tokens = sum(row.n_tokens for row in rows)
    nats = math.fsum(row.nats for row in rows) / n_tokens
    return {
        "nats_per_token": nats,
        "perplexity": math.exp(nats),
        "n_tokens": n_tokens,
        "n_examples": len(rows),
    }
