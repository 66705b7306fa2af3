"""Verdict in one paragraph, for readers without a background in statistics."""

from __future__ import annotations

from finllm.report import wording
from finllm.report.outcome import Outcome

_REFERENCE = "the reference answer"
MEANINGS = {  # explanation of each metric, to follow its name
    "rouge1": f"the words that an answer shares with {_REFERENCE}",
    "rouge2": f"the pairs of words that an answer shares with {_REFERENCE}",
    "rougeL": f"the longest run of words in common with {_REFERENCE}, gaps allowed",
    "rougeLsum": f"the longest runs of words in common with {_REFERENCE}, sentence by sentence",
    "bleu": f"the short phrases that an answer shares with {_REFERENCE}",
    "chrf": f"the runs of letters that an answer shares with {_REFERENCE}",
    "word_overlap": f"the distinct words that an answer shares with {_REFERENCE}",
    "bertscore": f"how close the words of an answer are in meaning to those of {_REFERENCE}",
    "similarity": f"how close an answer is in meaning to {_REFERENCE}",
    "term_recall": f"the share of the financial terms of {_REFERENCE} that an answer names",
    "term_precision": f"the share of an answer’s financial terms that {_REFERENCE} names",
    "number_accuracy": (
        f"the share of the figures of {_REFERENCE} that an answer states, and the share of its own "
        "figures that the excerpt of the call supports"
    ),
    "coherence": f"how far an answer’s statements agree with those of {_REFERENCE}",
    "composite": "a weighted mean of figures, statements, wording and financial terms",
}


def plain_words(found: Outcome) -> str:
    """Describe the question and the result."""
    return f"{_question(found)} {_answer(found)}"


def odds(p: float) -> str:
    """Express a p-value as odds, with two significant digits and a limit for very small values.

    >>> odds(0.00107), odds(0.03), odds(1e-9)
    ('about 1 in 930', 'about 1 in 33', 'less than 1 in 10,000')
    """
    if p < 1e-4:
        return "less than 1 in 10,000"
    return f"about 1 in {float(f'{1 / p:.2g}'):,.0f}"


def _question(found: Outcome) -> str:
    name = found.primary_metric
    return (
        f"The base model and the fine-tuned model answered the same "
        f"{_counted(found.n_examples, 'prompt', 'prompts')} about earnings calls of "
        f"{_counted(found.n_companies, 'company', 'companies')} not seen in training. "
        f"Every answer was scored from 0 to 1 by {wording.metric_in_sentence(name)}: "
        f"{MEANINGS[name]}."
    )


def _answer(found: Outcome) -> str:
    scores = f"{wording.score(found.base_mean)} to {wording.score(found.tuned_mean)}"
    reach = _reach(found)
    if found.verdict in ("better", "worse"):
        moved = "rose" if found.verdict == "better" else "fell"
        luck = ""
        if found.p_corrected:
            luck = (
                " Chance is an unlikely explanation: if fine-tuning changed nothing, a difference "
                f"at least this large would turn up in {odds(found.p_corrected)} such tests."
            )
        return f"With fine-tuning the mean score {moved} from {scores}.{luck}{reach}"
    if found.verdict == "equivalent":
        return (
            f"With fine-tuning the mean score went from {scores}.{reach} All of that range is "
            f"smaller than {wording.as_set(found.rope)}, the smallest difference that was declared "
            "relevant before the run, so the two models count as equally good."
        )
    return (
        f"With fine-tuning the mean score went from {scores}, but this test cannot tell that "
        f"difference from chance with enough certainty.{reach} That is not evidence that the two "
        "models are equally good."
    )


def _reach(found: Outcome) -> str:
    if found.low is None or found.high is None:
        return ""
    return (
        f" The data are compatible with a true difference between {wording.signed(found.low)} and "
        f"{wording.signed(found.high)}."
    )


def _counted(n: int, one: str, many: str) -> str:
    return f"{wording.count(n)} {one if n == 1 else many}"
