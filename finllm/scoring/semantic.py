"""Metrics of a neural encoder: BERTScore and sentence similarity, each in 0 to 1."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from finllm.model.weights import package_folder

# The last digits of a float32 product depend on batch and memory alignment, which change from run
# to run (bert_score batches in the order of a set). The encoders run in float64, and the scores are
# rounded to this many decimals: enough for any use, and the same in every run.
N_DECIMALS = 8
CHUNK = 512  # pairs whose token states are in memory at once

Ids = tuple[int, ...]
States = tuple[Any, Any]  # (n_tokens, n_hidden), (n_tokens,)


@dataclass(frozen=True)
class SemanticScores:
    """Scores of each pair of texts, and the number of texts that the encoder truncated."""

    bertscore: list[float]
    similarity: list[float]
    n_truncated: int

    def part(self, start: int, n: int) -> SemanticScores:
        """Return the scores of n pairs; ``n_truncated`` still counts all texts."""
        rows = slice(start, start + n)
        return SemanticScores(self.bertscore[rows], self.similarity[rows], self.n_truncated)


def signature(encoder: str, *, layer: int) -> str:
    """Return the libraries, versions, encoder and options of the semantic scores."""
    versions = [f"{name} {version(name)}" for name in ("bert-score", "sentence-transformers")]
    return f"{', '.join(versions)}; {encoder}, layer {layer}, no idf, not rescaled, float64"


def encoder_folder(name: str, *, package: str) -> str:
    """Return the encoder's folder inside its package, or the name itself without a package."""
    return str(package_folder(package) / "model") if package else name


def semantic_scores(
    candidates: Sequence[str],
    references: Sequence[str],
    *,
    encoder: str,
    layer: int,
    batch_size: int,
) -> SemanticScores:
    """Compute BERTScore F1 and the cosine of sentence embeddings; an empty candidate scores 0.

    BERTScore (Zhang et al. 2020, arXiv 1904.09675) is computed without idf and rescaling, so that
    random pairs score far above 0 and only differences are meaningful. Its values depend on the
    model and its layer. Similarity (Reimers and Gurevych 2019) counts a negative cosine as 0.

    Raises
    ------
    ValueError
        If the encoder has fewer layers than ``layer``.
    """
    filled = [i for i, text in enumerate(candidates) if text.strip()]
    f1, cosine = np.zeros(len(candidates)), np.zeros(len(candidates))
    n_truncated = 0
    if filled:
        reader = _Reader(encoder, layer, batch_size)
        texts = [side[i] for side in (candidates, references) for i in filled]
        n_truncated = reader.n_truncated(texts)
        filled.sort(key=lambda i: references[i])  # a reference is read once for all its answers
        for at in range(0, len(filled), CHUNK):
            rows = filled[at : at + CHUNK]
            pairs = [candidates[i] for i in rows], [references[i] for i in rows]
            f1[rows], cosine[rows] = reader.compare(*pairs)
    return SemanticScores(_settled(f1), _settled(cosine), n_truncated)


def _settled(values: np.ndarray) -> list[float]:
    """Return the values clipped to [0, 1] and rounded to digits that do not depend on the run."""
    return np.clip(values, 0, 1).round(N_DECIMALS).tolist()


class _Reader:
    """Encoder in memory that reads each text once for both metrics.

    The two libraries themselves tokenize, pool and match the texts. A text is read twice only if
    the libraries truncate it to different lengths.
    """

    def __init__(self, encoder: str, layer: int, batch_size: int) -> None:
        from sentence_transformers import SentenceTransformer

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from bert_score.utils import get_tokenizer

            self._tokenizer = get_tokenizer(encoder)  # of BERTScore
        self._model = SentenceTransformer(encoder).double().eval()
        self._layer, self._batch_size = layer, batch_size
        n_layers = self._model[0].auto_model.config.num_hidden_layers
        if layer > n_layers:
            raise ValueError(
                f"evaluate.encoder_layer is {layer}; {encoder} has layers 1 to {n_layers}"
            )

    def n_truncated(self, texts: Sequence[str]) -> int:
        """Count the texts with more tokens than the sentence encoder reads."""
        limit = self._model.max_seq_length
        return sum(len(ids) > limit for ids in self._model.tokenizer(list(texts))["input_ids"])

    def compare(self, candidates: list[str], references: list[str]) -> tuple[np.ndarray, ...]:
        """Return BERTScore's F1 and the cosine of each pair, in float64."""
        import torch
        from bert_score.utils import sent_encode

        texts = list(dict.fromkeys(candidates + references))
        cut = self._model.tokenizer(texts, truncation=True, max_length=self._model.max_seq_length)
        words = {text: tuple(sent_encode(self._tokenizer, text)) for text in texts}
        sentences = {text: tuple(ids) for text, ids in zip(texts, cut["input_ids"], strict=True)}
        states, pooled = self._read({*words.values(), *sentences.values()}, set(words.values()))
        a, b = (
            torch.stack([pooled[sentences[text]] for text in side])
            for side in (candidates, references)
        )
        f1 = [
            self._matched(states[words[left]], states[words[right]])
            for left, right in zip(candidates, references, strict=True)
        ]
        return np.array(f1), (a * b).sum(dim=1).numpy()

    def _read(self, rows: set[Ids], of_words: set[Ids]) -> tuple[dict, dict]:
        """Return the hidden states of the rows in ``of_words``, and the sentence embeddings of all.

        Both are keyed by the row's token ids. The states come with a weight for each token: 0 for
        the first and last, which are special, else 1. Rows of similar length share a batch.
        """
        import torch

        states, pooled = {}, {}
        special = (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id)
        encoder, *rest = self._model
        ordered = sorted(rows, key=lambda ids: (len(ids), ids))
        for batch in _batches(ordered, self._batch_size):
            mask = torch.zeros(len(batch), len(batch[-1]), dtype=torch.long)
            ids = torch.full_like(mask, self._tokenizer.pad_token_id)
            for i, row in enumerate(batch):
                ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
            device = self._model.device
            features = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
            with torch.inference_mode():
                out = encoder.auto_model(**features, output_hidden_states=True)
                features["token_embeddings"] = out[0]
                for module in rest:
                    features = module(features)
                unit = torch.nn.functional.normalize(features["sentence_embedding"], dim=1).cpu()
                hidden = out.hidden_states[self._layer].cpu()
            for i, row in enumerate(batch):
                pooled[row] = unit[i]
                if row in of_words:  # a copy, and not a view of the whole batch
                    counts = torch.tensor([float(token not in special) for token in row])
                    states[row] = hidden[i, : len(row)].clone(), counts
        return states, pooled

    def _matched(self, candidate: States, reference: States) -> float:
        """Return BERTScore's F1 of one pair.

        Each pair is matched alone: in a batch, the library would match a token whose similarities
        are all below 0 with padding, whose similarity is 0, so that the score would depend on the
        other pairs.
        """
        import torch
        from bert_score.utils import greedy_cos_idf

        sides = []
        for hidden, weights in (reference, candidate):
            mask = torch.ones(1, len(hidden), dtype=torch.bool)
            sides += [hidden[None].clone(), mask, weights[None].clone()]  # divided in place
        with torch.inference_mode():
            return greedy_cos_idf(*sides)[2].item()


def _batches(rows: Sequence, size: int) -> list[Sequence]:
    return [rows[at : at + size] for at in range(0, len(rows), size)]
