"""Scoring of predictions, paired by example, without dropping any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from finllm.languages.lexicons import Lexicons
from finllm.records import METRICS, Example, Prediction, Score
from finllm.runtime import screen
from finllm.runtime.parallel import map_batches
from finllm.scoring.example import light_scores
from finllm.scoring.semantic import SemanticScores

BATCH = 4  # examples per batch of a worker


@dataclass(frozen=True)
class Candidate:
    """Text to be scored as an answer to an example."""

    model: str
    split: str  # "val", "test", "transfer", or the kind of change: "reworded", "noise", "free"
    example: Example
    text: str
    cut: bool = False  # by the length limit


def check_paired(
    examples: Sequence[Example],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    same_prompts: bool = True,
) -> None:
    """Check that all models answered the same examples, with the same prompts and decoding.

    Raises
    ------
    ValueError
        If they did not; the message names the model and the example or the decodings.
    """
    ids = [example.id for example in examples]
    prompts: dict[str, str] = {}
    decodings = {row.decoding for rows in predictions.values() for row in rows}
    if len(decodings) > 1:
        raise ValueError(
            f"the predictions were decoded in {len(decodings)} ways "
            f"({'; '.join(sorted(decodings))}); a comparison would not be fair. Run predict again "
            "for all models"
        )
    for model, rows in predictions.items():
        answered = [row.example_id for row in rows]
        if sorted(answered) != sorted(ids):
            odd = sorted(set(answered) ^ set(ids)) or ["an example answered twice"]
            raise ValueError(
                f"the predictions of {model} do not pair with the test examples: {odd[0]} "
                f"({len(answered)} answers, {len(ids)} examples); run predict again"
            )
        for row in rows if same_prompts else ():
            if prompts.setdefault(row.example_id, row.prompt_sha256) != row.prompt_sha256:
                raise ValueError(
                    f"{row.example_id}: {model} was given another prompt than the models before "
                    "it; a comparison would not be fair. Run predict again for all models"
                )


def check_models(
    test: Sequence[Example],
    transfer: Sequence[Example],
    predictions: Mapping[str, Sequence[Prediction]],
) -> None:
    """Check that the base, tuned and, if present, preferred model are paired on both sets.

    A few-shot base, if present, must be the base model.

    Raises
    ------
    ValueError
        As in ``check_paired`` and ``check_few_shot``.
    """
    base, few_shot = predictions["base"], predictions["fewshot"]
    paired = {"base": base, "tuned": predictions["tuned"]}
    if predictions.get("preferred"):
        paired["preferred"] = predictions["preferred"]
    check_paired([*test, *transfer], paired)
    if few_shot:
        check_few_shot(test, few_shot, base, model="fewshot")


def check_few_shot(
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    base: Sequence[Prediction],
    *,
    model: str,
) -> None:
    """Check that a few-shot model differs from the base only in its prompts, which show examples.

    Examples, weights and decoding must be the same.

    Raises
    ------
    ValueError
        If anything else differs; the message names the model and the example.
    """
    asked = {example.id for example in examples}
    plain = {row.example_id: row for row in base if row.example_id in asked}
    pair = {"base": list(plain.values()), model: predictions}
    check_paired(examples, pair, same_prompts=False)
    for row in predictions:
        if row.weights_sha256 != plain[row.example_id].weights_sha256:
            raise ValueError(
                f"{row.example_id}: {model} has other weights than base; run predict again for both"
            )


def changed_examples(
    test: Sequence[Example], changed: Mapping[str, Sequence[Prediction]]
) -> dict[str, list[Example]]:
    """Return for each kind of change the test examples that every model answered in that form.

    Raises
    ------
    ValueError
        If a changed question belongs to no test example, or the models got different prompts.
    """
    by_id = {example.id: example for example in test}
    found: dict[str, list[Example]] = {}
    for name in sorted({row.asked for rows in changed.values() for row in rows}):
        sets = {m: [row for row in rows if row.asked == name] for m, rows in changed.items()}
        ids = list(dict.fromkeys(row.example_id for rows in sets.values() for row in rows))
        lost = [i for i in ids if i not in by_id]
        if lost:
            raise ValueError(
                f"{lost[0]} was asked as {name} but is not a test example; run predict"
            )
        found[name] = [by_id[i] for i in ids]
        check_paired(found[name], sets)
    return found


def score_candidates(
    candidates: Sequence[Candidate],
    semantic: SemanticScores,
    *,
    lexicon: str,
    n_workers: int,
    engine: str = "local",
) -> list[Score]:
    """Return the Score of each candidate, in order; ``semantic`` has their neural metrics.

    All answers to one example are scored together, in one of ``n_workers`` processes, so that its
    excerpt is read only once.

    Parameters
    ----------
    lexicon
        File of additional terms, or empty to use only the built-in terms.
    engine
        Passed to ``finllm.runtime.parallel.map_batches``.
    """
    places: dict[str, list[int]] = {}
    for place, candidate in enumerate(candidates):
        places.setdefault(candidate.example.id, []).append(place)
    groups = [[candidates[i] for i in rows] for rows in places.values()]
    values: list[dict[str, float | None]] = [{} for _ in candidates]
    prepare = partial(_scorer, lexicon)
    bar = screen.Bar(total=len(candidates), desc="evaluate", unit="answer")
    found = map_batches(prepare, groups, n_workers=n_workers, batch_size=BATCH, engine=engine)
    for rows, light in zip(places.values(), chain.from_iterable(found), strict=True):
        for place, one in zip(rows, light, strict=True):
            values[place] = one
        bar.update(len(rows))
    bar.close()
    neural = zip(semantic.bertscore, semantic.similarity, strict=True)
    return [
        _score(candidate, {**light, "bertscore": bertscore, "similarity": similarity})
        for candidate, light, (bertscore, similarity) in zip(
            candidates, values, neural, strict=True
        )
    ]


def _scorer(lexicon: str) -> Callable[[list[list[Candidate]]], list[list[dict]]]:
    terms = Lexicons(lexicon)

    def score(batch: list[list[Candidate]]) -> list[list[dict]]:
        return [
            [
                light_scores(c.text, c.example.answer, c.example.excerpt, terms, cut=c.cut)
                for c in group
            ]
            for group in batch
        ]

    return score


def _score(candidate: Candidate, values: Mapping[str, float | None]) -> Score:
    example = candidate.example
    return Score(
        example.id,
        candidate.model,
        candidate.split,
        example.company,
        example.sector,
        example.period,
        example.template,
        example.provenance,
        {name: values[name] for name in METRICS},
    )


def means(rows: Sequence[Score]) -> dict[str, float]:
    """Return the mean of each metric over the examples for which it is defined."""
    found = {}
    for name in METRICS:
        values = [row.values[name] for row in rows if row.values[name] is not None]
        if values:
            found[name] = sum(values) / len(values)
    return found
