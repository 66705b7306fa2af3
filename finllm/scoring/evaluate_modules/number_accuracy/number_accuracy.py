"""Number accuracy of finllm.scoring as a module of Hugging Face's evaluate."""

import datasets
import evaluate

from finllm.scoring.domain import number_accuracy
from finllm.scoring.figures import number_report

DESCRIPTION = """Harmonic mean of the share of the reference's figures that a prediction states and
the share of its figures that the source or the reference states; docs/metrics.md has the formula.
Load it with evaluate.load("<this folder>") where finllm can be imported.
"""


class NumberAccuracy(evaluate.Metric):
    """Number accuracy, by ``compute(predictions=, references=, sources=)`` of texts."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description="predictions, references and sources: a text each",
            features=datasets.Features(
                {
                    name: datasets.Value("string")
                    for name in ("predictions", "references", "sources")
                }
            ),
        )

    def _compute(self, predictions: list, references: list, sources: list) -> dict:
        """Return the mean, the score of each prediction, and the number of errors of each kind."""
        rows = list(zip(predictions, references, sources, strict=True))
        scores = [number_accuracy(*row) for row in rows]
        errors = [number_report(*row).errors for row in rows]
        return {
            "number_accuracy": sum(scores) / len(scores),
            "scores": scores,
            "errors": {name: sum(found[name] for found in errors) for name in errors[0]},
        }
