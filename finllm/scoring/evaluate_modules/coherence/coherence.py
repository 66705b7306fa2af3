"""Business context coherence of finllm.scoring as a module of Hugging Face's evaluate."""

import datasets
import evaluate

from finllm.scoring.coherence import VERDICTS, coherence

DESCRIPTION = """Whether a prediction's statements hold against reference and source: the harmonic
mean of consistency and coverage; docs/metrics.md has the formula. An empty reference leaves the
source alone. Load it with evaluate.load("<this folder>") where finllm can be imported.
"""


class Coherence(evaluate.Metric):
    """Business context coherence, by ``compute(predictions=, references=, sources=)`` of texts."""

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
        """Return the mean, the score of each prediction, and the mean share of each verdict."""
        rows = zip(predictions, references, sources, strict=True)
        found = [coherence(*row) for row in rows]
        shares = {name: sum(vars(f)[name] for f in found) / len(found) for name in VERDICTS}
        scores = [f.score for f in found]
        return {"coherence": sum(scores) / len(scores), "scores": scores, **shares}
