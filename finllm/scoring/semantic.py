"""Metrics by a neural encoder: BERTScore and sentence similarity, each in 0 to 1."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from finllm.model.weights import package_folder

# The last digits of a float32 product depend on batch and memory alignment, which change from run
# to run (bert_score batches in the order of a set). The encoders run in float64, and this many
# decimals of what they say are kept: enough for any use, and the same in every run.
N_DECIMALS = 8


@dataclass(frozen=True)
class SemanticScores:
    """One value per pair, and how many texts were longer than the encoder reads."""

    bertscore: list[float]
    similarity: list[float]
    n_truncated: int

    def part(self, start: int, n: int) -> SemanticScores:
        """The values of n pairs; the count stays that of all."""
        rows = slice(start, start + n)
        return SemanticScores(self.bertscore[rows], self.similarity[rows], self.n_truncated)


def signature(encoder: str, *, layer: int) -> str:
    """What the semantic scores were made with: libraries, versions, encoder and options."""
    versions = [f"{name} {version(name)}" for name in ("bert-score", "sentence-transformers")]
    return f"{', '.join(versions)}; {encoder}, layer {layer}, no idf, not rescaled, float64"


def encoder_folder(name: str, *, package: str) -> str:
    """The encoder's folder inside the package that carries it, or the name as it is."""
    return str(package_folder(package) / "model") if package else name


def semantic_scores(
    candidates: Sequence[str],
    references: Sequence[str],
    *,
    encoder: str,
    layer: int,
    batch_size: int,
) -> SemanticScores:
    """BERTScore F1 and the cosine of sentence embeddings; an empty candidate scores 0.

    BERTScore (Zhang et al. 2020, arXiv 1904.09675): idf off, not rescaled, so random pairs sit
    far above 0 and only differences mean something. The model and its layer belong to the number.
    Similarity (Reimers and Gurevych 2019): a negative cosine counts as 0.
    """
    filled = [i for i, text in enumerate(candidates) if text.strip()]
    f1, cosine = np.zeros(len(candidates)), np.zeros(len(candidates))
    n_truncated = 0
    if filled:
        pairs = [candidates[i] for i in filled], [references[i] for i in filled]
        cosine[filled], n_truncated = _similarity(*pairs, encoder, batch_size)
        f1[filled] = _bertscore(*pairs, encoder, layer, batch_size)
    return SemanticScores(_settled(f1), _settled(cosine), n_truncated)


def _settled(values: np.ndarray) -> list[float]:
    """The values in 0 to 1, rounded to what does not depend on the run."""
    return np.clip(values, 0, 1).round(N_DECIMALS).tolist()


def _similarity(
    candidates: list[str], references: list[str], encoder: str, batch_size: int
) -> tuple[np.ndarray, int]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(Path(encoder)) if Path(encoder).exists() else encoder).double()
    texts = candidates + references
    limit = model.max_seq_length
    lengths = [len(ids) for ids in model.tokenizer(texts)["input_ids"]]
    unique = list(dict.fromkeys(texts))  # several models answer to the same references
    rows = model.encode(
        unique, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
    )
    row_of = {text: i for i, text in enumerate(unique)}
    left, right = ([row_of[text] for text in side] for side in (candidates, references))
    return (rows[left] * rows[right]).sum(axis=1), sum(length > limit for length in lengths)


def _bertscore(
    candidates: list[str], references: list[str], encoder: str, layer: int, batch_size: int
) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bert_score import BERTScorer

        scorer = BERTScorer(model_type=encoder, num_layers=layer, batch_size=batch_size, idf=False)
        scorer._model.double()
        _, _, f1 = scorer.score(candidates, references)
    return f1.numpy()
