"""Build the instruction examples of a transcript, each within the token budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np

from finllm.instruct import quoted, references, templates, windows
from finllm.languages.files import ENGLISH
from finllm.languages.lexicon import Lexicon
from finllm.numbers.support import stated_figures, unstated_spans
from finllm.records import NO_SOURCE, Example, Reject, Transcript

MIN_ANSWER_WORDS = 4


@dataclass(frozen=True)
class Budget:
    """Token counters, token limits, and the rule that chooses sentences."""

    count_tokens: Callable[[list[str]], list[int]]
    count_prompt: Callable[[str, str], int]  # tokens of a prompt with this instruction and excerpt
    max_tokens: int
    max_answer_tokens: int
    sentences: str  # rule (windows.most_telling), quoted (windows.most_quoted, English)

    @cached_property
    def rooms(self) -> dict[str, int]:
        """Tokens left for excerpt and answer, by template, for the longest of its wordings."""
        return {
            template: self.max_tokens - max(self.count_prompt(wording, "") for wording in wordings)
            for template, wordings in templates.INSTRUCTIONS.items()
        }


@dataclass(frozen=True)
class Draft:
    """An example before it has an id."""

    excerpt: list[str]
    answer: str
    provenance: str


def candidates(
    transcript: Transcript,
    *,
    lexicon: Lexicon,
    budget: Budget,
    paraphrases: bool,
    rng: np.random.Generator,
) -> Iterator[Example | Reject]:
    """Yield an example, or a reject with its reason, for each template in a fixed order.

    With ``paraphrases`` the instruction is drawn from the template's wordings in use; without, it
    is always the first, that of the method.
    """
    call = _call(transcript, lexicon, budget)
    for template in templates.TEMPLATES:
        wordings = templates.wordings(template)
        drawn = int(rng.integers(len(wordings)))
        instruction = wordings[drawn if paraphrases else 0]
        draft = _DRAFTS[template](call, budget.rooms[template], rng)
        yield _finish(call, template, instruction, draft)


def example_of(transcript: Transcript, **rest: str | int | Sequence[Sequence[int]]) -> Example:
    """Build an example about a call from the call's own facts and ``rest``, the other fields."""
    return Example(
        transcript_id=transcript.id,
        company=transcript.company,
        period=transcript.period,
        sector=transcript.sector,
        source=transcript.source,
        **rest,
    )


def question(
    transcript: Transcript,
    template: str,
    *,
    lexicon: Lexicon,
    budget: Budget,
    rng: np.random.Generator,
) -> Example | Reject:
    """Build the question about a call whose answer is unknown, in the method's own wording.

    The excerpt is the one that ``candidates`` cuts for the template with the same ``rng``, so the
    prompt equals the pipeline's byte for byte; but calls that give no reference are asked about
    too. The answer is empty. Return a Reject if not a single sentence fits the budget.
    """
    call = _call(transcript, lexicon, budget)
    for earlier in templates.TEMPLATES[: templates.TEMPLATES.index(template) + 1]:
        rng.integers(len(templates.wordings(earlier)))  # drawn as in candidates, and not used
    room = budget.rooms[template]
    if template == templates.COMPLETION:
        start, cut = _first_part(call, room, rng)
        chosen = call.sentences[start:cut]
    else:
        until = call.n_prepared or None if template == templates.QUESTIONS else None
        chosen = _dense(call, room - budget.max_answer_tokens, until)
    if not chosen:
        detail = f"none of {len(call.sentences)} sentences fits the token budget"
        return Reject(transcript.id, "", 0, "too_little_text", detail)
    instruction, excerpt = templates.wordings(template)[0], " ".join(chosen)
    return example_of(
        transcript,
        id=f"{transcript.id}:{template}",
        template=template,
        provenance=transcript.provenance,
        instruction=instruction,
        excerpt=excerpt,
        answer="",
        n_prompt_tokens=budget.count_prompt(instruction, excerpt),
        n_answer_tokens=0,
    )


@dataclass(frozen=True)
class _Call:
    transcript: Transcript
    sentences: list[str]
    costs: list[int]  # tokens of each sentence and of the space after it
    contents: list[windows.Content]
    figures: list[quoted.Figures]  # of each sentence; empty if the rule chooses
    log_odds: list[float | None]  # that each sentence is quoted; empty if the rule chooses
    n_prepared: int  # number of sentences at the start, before any question
    lexicon: Lexicon
    budget: Budget


def _call(transcript: Transcript, lexicon: Lexicon, budget: Budget) -> _Call:
    sentences = windows.sentences(transcript.text)
    n_prepared = n_prepared_sentences(transcript)
    costs = [cost + 1 for cost in budget.count_tokens(sentences)]
    contents = [windows.content(s, (term for term, *_ in lexicon.find(s))) for s in sentences]
    figures, log_odds = [], []
    if budget.sentences == "quoted" and transcript.language in ("", ENGLISH):
        figures = quoted.figures_of(sentences)
        rows = quoted.inputs(sentences, figures, contents, costs, n_prepared)
        log_odds = quoted.log_odds(rows, transcript.company)
    return _Call(
        transcript, sentences, costs, contents, figures, log_odds, n_prepared, lexicon, budget
    )


def n_prepared_sentences(transcript: Transcript) -> int:
    """Count the sentences of a call before the first question."""
    opening = takewhile(lambda t: t.section != "qa" and t.role != "analyst", transcript.turns)
    return len(windows.sentences("\n".join(turn.text for turn in opening)))


def _understanding(call: _Call, room: int, rng: np.random.Generator) -> Draft | str:
    if call.transcript.language not in ("", ENGLISH):
        return "derived_in_english_only"  # its rules read English, and would mix languages
    chosen = _dense(call, room - call.budget.max_answer_tokens)
    answer = references.analysis(chosen, call.lexicon)
    return Draft(chosen, answer, "derived") if answer else "no_key_figure"


def _completion(call: _Call, room: int, rng: np.random.Generator) -> Draft | str:
    start, cut = _first_part(call, room, rng)
    end = windows.contiguous(call.costs, cut, call.budget.max_answer_tokens - 2)
    if cut == start or end == cut:
        return "no_continuation"
    return Draft(call.sentences[start:cut], " ".join(call.sentences[cut:end]), "continuation")


def _first_part(call: _Call, room: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return the range of sentences to continue: from ``start`` in the first half to ``cut``."""
    start = int(rng.integers(max(1, len(call.sentences) // 2)))
    return start, windows.contiguous(call.costs, start, room - call.budget.max_answer_tokens)


def _summarization(call: _Call, room: int, rng: np.random.Generator) -> Draft | str:
    summary = call.transcript.summary
    if not summary:
        return "no_summary"
    chosen = _dense(call, room - call.budget.max_answer_tokens)
    return Draft(chosen, summary, call.transcript.provenance)


def _questions(call: _Call, room: int, rng: np.random.Generator) -> Draft | str:
    asked = references.analyst_questions(call.transcript)
    if not asked:
        return "no_analyst_question"
    question = asked[int(rng.integers(len(asked)))]
    chosen = _dense(call, room - call.budget.max_answer_tokens, until=call.n_prepared)
    return Draft(chosen, question, call.transcript.provenance)


_DRAFTS = {
    templates.UNDERSTANDING: _understanding,
    templates.COMPLETION: _completion,
    templates.SUMMARIZATION: _summarization,
    templates.QUESTIONS: _questions,
}


def _dense(call: _Call, room: int, until: int | None = None) -> list[str]:
    costs = call.costs[:until]
    if call.log_odds:
        indexes = windows.most_quoted(call.log_odds[:until], call.figures[:until], costs, room)
    else:
        indexes = windows.most_telling(call.contents[:until], costs, room)
    return [call.sentences[i] for i in indexes]


def _finish(call: _Call, template: str, instruction: str, draft: Draft | str) -> Example | Reject:
    transcript = call.transcript
    key = f"{transcript.id}:{template}"
    if isinstance(draft, str):
        return Reject(key, "", 0, draft, "")
    (n_answer,) = call.budget.count_tokens([draft.answer])
    n_answer += 1  # the token that ends the answer
    if n_answer > call.budget.max_answer_tokens:
        allowed = call.budget.max_answer_tokens
        return Reject(key, "", 0, "answer_too_long", f"{n_answer} tokens, allowed {allowed}")
    if len(draft.answer.split()) < MIN_ANSWER_WORDS or not draft.excerpt:
        return Reject(key, "", 0, "too_little_text", "")
    excerpt = " ".join(draft.excerpt)
    n_prompt = call.budget.count_prompt(instruction, excerpt)
    if n_prompt + n_answer > call.budget.max_tokens:  # the template or the joins took a few more
        return Reject(key, "", 0, "prompt_too_long", f"{n_prompt} tokens and {n_answer} of answer")
    return example_of(
        transcript,
        id=key,
        template=template,
        provenance=draft.provenance,
        instruction=instruction,
        excerpt=excerpt,
        answer=draft.answer,
        n_prompt_tokens=n_prompt,
        n_answer_tokens=n_answer,
        unstated=unstated_spans(draft.answer, stated_figures(excerpt, transcript.language)),
    )


def choose(
    keys: list[tuple[str, str]],
    *,
    weights: dict[str, float],
    max_examples: int,
    rng: np.random.Generator,
) -> tuple[set[str], dict[str, int]]:
    """Choose which (template, example id) candidates to keep, and count them by template.

    Raises
    ------
    ValueError
        If a template with a positive weight has no candidate.
    """
    by_template: dict[str, list[str]] = {name: [] for name in templates.TEMPLATES}
    for template, key in keys:
        by_template[template].append(key)
    available = {name: len(ids) for name, ids in by_template.items()}
    quotas = templates.quotas(available, weights, max_examples)
    chosen: set[str] = set()
    for name, quota in quotas.items():
        order = rng.permutation(len(by_template[name]))[:quota]
        chosen.update(by_template[name][i] for i in order)
    return chosen, quotas


def choose_by_source(
    rows: list[tuple[str, str, str]],
    *,
    weights: dict[str, float],
    max_examples: int,
    transfer_source: str,
    rng: np.random.Generator,
) -> tuple[set[str], dict[str, int]]:
    """Choose from (template, example id, source), treating the transfer source separately.

    The transfer source may lack a template, such as summaries; the weights of the others then keep
    their ratio among its examples. Their number is not limited here: the split caps them. The
    choice among the other sources does not depend on the transfer source.

    Raises
    ------
    ValueError
        As ``choose``; also if the transfer source has no example with a positive weight.
    """
    own = [(template, key) for template, key, source in rows if source != transfer_source]
    chosen, quotas = choose(own, weights=weights, max_examples=max_examples, rng=rng)
    if transfer_source == NO_SOURCE:
        return chosen, quotas
    other = [(template, key) for template, key, source in rows if source == transfer_source]
    scaled = templates.offered(weights, {template for template, _ in other})
    more, further = choose(other, weights=scaled, max_examples=0, rng=rng)
    return chosen | more, {name: n + further.get(name, 0) for name, n in quotas.items()}
