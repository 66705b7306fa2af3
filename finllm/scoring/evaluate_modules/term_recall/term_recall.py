"""Financial term recall and precision of finllm.scoring as a module of Hugging Face's evaluate."""

import datasets
import evaluate

from finllm.languages.lexicons import Lexicons
from finllm.scoring.domain import term_precision, term_recall

DESCRIPTION = """Shares of the financial terms that prediction and reference have in common, by
canonical term; docs/metrics.md has the formula. Texts where a share is not defined are left out of
its mean. Load it with evaluate.load("<this folder>") where finllm can be imported.
"""


class TermRecall(evaluate.Metric):
    """Term recall and precision, by ``compute(predictions=, references=)`` of texts.

    ``compute`` also takes ``lexicon_path``, a file of additional terms.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description="predictions and references: a text each",
            features=datasets.Features(
                {name: datasets.Value("string") for name in ("predictions", "references")}
            ),
        )

    def _compute(self, predictions: list, references: list, lexicon_path: str = "") -> dict:
        """Return the means of recall and precision, and the recall of each prediction."""
        lexicon = Lexicons(lexicon_path)
        rows = list(zip(predictions, references, strict=True))
        recalls = [term_recall(*row, lexicon) for row in rows]
        precisions = [term_precision(*row, lexicon) for row in rows]
        return {
            "term_recall": _mean(recalls),
            "term_precision": _mean(precisions),
            "scores": recalls,
        }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
