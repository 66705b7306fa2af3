"""Extractive oracles, not models: sentences of the excerpt chosen knowing the reference."""

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
    """The answers of every oracle, by the names in ``ORACLES`` and by example id.

    About what an extract can reach at best, and no bound: greedy choice misses some sets of
    sentences, and a model that writes its own words can score more.
    """
    makers: dict[str, Callable[[Example], str]] = {
        "oracle_rougeL": rouge_oracle,
        "oracle_numbers": number_oracle,
    }
    return {
        name: {example.id: make(example) for example in examples} for name, make in makers.items()
    }


def rouge_oracle(example: Example) -> str:
    """The sentences that greedily raise the ROUGE-L F-measure against the reference.

    One sentence at a time, the one that gains most (the earlier among equals), until none gains;
    in the excerpt's order, as in Nallapati, Zhai and Zhou (2017, arXiv 1611.04230), section 3.3.
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
    """The sentences that greedily state the reference's figures, in the excerpt's order.

    One sentence at a time, the one that states most figures not stated yet (the one of fewer words
    among equals, then the earlier), until none adds one. Figures are stated by ``is_stated``.
    Where no sentence states a figure of the reference, the answer is ``rouge_oracle``'s.
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
    """How many of the references' figures the calls and the excerpts state, by template.

    ``audit_references`` says what the shares mean; ``calls`` may hold others than the examples'.
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
