"""Pooling of the scores of several cross-validation folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finllm.records import Score


def pool(folds: Mapping[str, Sequence[Score]]) -> list[Score]:
    """Return the test scores of all folds, without transfer scores, which every fold has.

    Each company was tested once, by models that never trained on it, so companies stay the unit of
    evidence. The pooled interval describes the recipe, not a single adapter. It is somewhat too
    narrow: the training sets of the folds overlap, so that their differences are slightly
    dependent (Bengio and Grandvalet 2004).

    Parameters
    ----------
    folds
        Scores of each fold's run, by a name for messages, such as the file.

    Raises
    ------
    ValueError
        If fewer than two folds are given, a fold has no test scores, or two folds tested the
        same company and are therefore not folds of one split.
    """
    if len(folds) < 2:
        raise ValueError(f"{len(folds)} folds: pooling needs at least two")
    owner: dict[str, str] = {}
    pooled: list[Score] = []
    for name, scores in folds.items():
        tested = [score for score in scores if score.split == "test"]
        if not tested:
            raise ValueError(f"{name}: no test scores")
        for company in sorted({score.company for score in tested}):
            if company in owner:
                raise ValueError(
                    f"{name} tests {company}, and so does {owner[company]}; they are not folds of "
                    "one split: run them with one split.n_folds and split.seed, and each fold once"
                )
            owner[company] = name
        pooled += tested
    return pooled
