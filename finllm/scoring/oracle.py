"""Extractive oracles, which choose sentences of the excerpt with knowledge of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from rouge_score.tokenizers import DefaultTokenizer

from finllm.instruct.reference_audit import audit_references
from finllm.instruct.windows import sentences
from finllm.languages.detection import spoken_in
from finllm.numbers import is_stated
from finllm.numbers.support import stated_figures
from finllm.records import Example, Transcript
from finllm.scoring.domain import lcs_length

ORACLES = ("oracle_rougeL", "oracle_numbers")


def oracle_answers(examples: Sequence[Example]) -> dict[str, dict[str, str]]:
    """Return the answers of each oracle, by name (``ORACLES``) and example id.

    Their scores are about the best that an extract can reach, but not a bound: the greedy choice
    misses some sets of sentences, and a model that writes its own words can score higher.
    """
    makers: dict[str, Callable[[Example], str]] = {
        "oracle_rougeL": rouge_oracle,
        "oracle_numbers": number_oracle,
    }
    return {
        name: {example.id: make(example) for example in examples} for name, make in makers.items()
    }


def rouge_oracle(example: Example) -> str:
    """Return the sentences that greedily maximise the ROUGE-L F-measure against the reference.

    Sentences are added one at a time, the one with the largest gain first (ties go to the earlier),
    until no sentence gains, and are returned in the excerpt's order, as in Nallapati, Zhai and Zhou
    (2017, arXiv 1611.04230), section 3.3.
    """
    told = sentences(example.excerpt)
    tokens, wanted = [_tokens(sentence) for sentence in told], _tokens(example.answer)
    chosen: list[int] = []
    best = 0.0
    while True:
        trials = []
        for i in set(range(len(told))) - set(chosen):
            said = [token for j in sorted([*chosen, i]) for token in tokens[j]]
            trials.append((_f_measure(said, wanted), -i))
        score, i = max(trials, default=(0.0, 0))
        if score <= best:
            return " ".join(told[i] for i in sorted(chosen))
        chosen.append(-i)
        best = score


def number_oracle(example: Example) -> str:
    """Return sentences that greedily cover the reference's figures, in the excerpt's order.

    Sentences are added one at a time, first the one that states the most figures not yet covered
    (``is_stated``), until none adds a figure. Ties go to the sentence with fewer words, then to the
    earlier. If no sentence states a figure of the reference, return the ``rouge_oracle``.
    """
    told, language = sentences(example.excerpt), spoken_in(example.excerpt)
    wanted = stated_figures(example.answer)
    states = []
    for sentence in told:
        said = stated_figures(sentence, language)
        states.append({j for j, f in enumerate(wanted) if is_stated(f, said)})
    chosen: list[int] = []
    covered: set[int] = set()
    while any(stated - covered for stated in states):
        i = min(
            range(len(told)), key=lambda i: (-len(states[i] - covered), len(told[i].split()), i)
        )
        chosen.append(i)
        covered |= states[i]
    return " ".join(told[i] for i in sorted(chosen)) if chosen else rouge_oracle(example)


def number_recall_ceiling(
    examples: Sequence[Example], calls: Iterable[Transcript]
) -> dict[str, dict[str, float]]:
    """Return the shares of the references' figures that calls and excerpts state, by template.

    See ``audit_references`` for the shares; ``calls`` may include calls without examples.
    """
    ordered = sorted(examples, key=lambda example: example.transcript_id)
    wanted = {example.transcript_id for example in ordered}
    found = {call.id: call for call in calls if call.id in wanted}
    return audit_references(ordered, (found[call_id] for call_id in sorted(found)))


def _f_measure(said: list[str], wanted: list[str]) -> float:
    return 2 * lcs_length(said, wanted) / (len(said) + len(wanted)) if said and wanted else 0.0


def _tokens(text: str) -> list[str]:
    return _tokenizer().tokenize(text)


@cache
def _tokenizer() -> DefaultTokenizer:
    return DefaultTokenizer(use_stemmer=True)
