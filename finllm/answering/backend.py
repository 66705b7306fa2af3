"""Choice of the backend for answers: this project's decoder or vLLM."""

from __future__ import annotations

from pathlib import Path

from finllm.answering.answerer import Answering
from finllm.answering.predicting import load_answerer
from finllm.answering.vllm_answerer import vllm_answerer
from finllm.settings.params import Params


def answerer_here(params: Params, *, weights: Path) -> Answering:
    """Load the model in this process, with the backend that ``predict.backend`` selects."""
    if params.predict.backend == "vllm":
        return vllm_answerer(params, weights=weights)
    return load_answerer(params, weights=weights)
