"""Several sampled answers to each prompt, instead of the most probable one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from finllm.answering.generate import answers
from finllm.answering.predicting import Answerer
from finllm.instruct import chat
from finllm.model.fused_decoder import Write
from finllm.records import Example


class Draws:
    """Replacement for ``finllm.answering.rules.Rules`` that samples each token.

    A draw depends on the seed, the answer's index and the position in it, and so not on the order
    in which answers are written or on the number of threads.

    Parameters
    ----------
    temperature
        Divisor of the logits; the lower, the more likely the most probable token.
    seed
        Seed for all answers.
    """

    def __init__(self, *, temperature: float, seed: int) -> None:
        self.temperature, self.seed = temperature, seed

    def writer(self) -> Write:
        """Return the function that the decoder calls for each token."""
        return self.write

    def write(
        self, index: int, ids: Sequence[int], token: int, logits: Callable[[], np.ndarray]
    ) -> list[int]:
        """Return an answer's ids with one more, sampled; the most probable ``token`` is ignored.

        The token is drawn by inverting the distribution function at one uniform number.
        """
        scaled = logits().astype(np.float64) / self.temperature
        cumulated = np.cumsum(np.exp(scaled - scaled.max()))
        uniform = np.random.default_rng([self.seed, index, len(ids)]).random()
        return [*ids, int(np.searchsorted(cumulated, uniform * cumulated[-1], side="right"))]

    def finished(self, index: int, ids: Sequence[int], *, hit_limit: bool) -> list[int]:
        """Return the answer as it was drawn."""
        return list(ids)


def drawn_answers(
    answerer: Answerer,
    examples: Sequence[Example],
    system_prompt: str,
    *,
    n: int,
    temperature: float,
    seed: int,
) -> list[list[str | None]]:
    """Return ``n`` sampled answers to the prompt of each example, without the decoding rules.

    An answer that the length limit cut is None: the model did not end it, and training adds an end.
    """
    tokenizer = answerer.tokenizer
    prompts = [
        chat.encode_prompt(tokenizer, chat.render_example(tokenizer, example, system_prompt))
        for example in examples
        for _ in range(n)
    ]
    found: list[str | None] = [None] * len(prompts)
    for answer in answers(
        answerer.model,
        prompts,
        max_new_tokens=answerer.max_new_tokens,
        stop_ids=answerer.stop_ids,
        pad_id=tokenizer.pad_token_id,
        batch_size=answerer.batch_size,
        rules=Draws(temperature=temperature, seed=seed),
    ):
        if not answer.hit_limit:
            found[answer.index] = answerer.text(answer)
    return [found[i : i + n] for i in range(0, len(found), n)]
