"""Several answers that a model draws to each prompt, instead of its most probable one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from finllm.answering.generate import answers
from finllm.answering.predicting import Answerer
from finllm.instruct import chat
from finllm.model.fused_decoder import Write
from finllm.records import Example


class Draws:
    """Stands where ``finllm.answering.rules.Rules`` does, and draws each token.

    What is drawn depends on the seed, the answer and the place in it, and so not on the order in
    which answers are written or on the number of threads.

    Parameters
    ----------
    temperature
        Logits are divided by it; the lower, the closer to the most probable token.
    seed
        Of all answers together.
    """

    def __init__(self, *, temperature: float, seed: int) -> None:
        self.temperature, self.seed = temperature, seed

    def writer(self) -> Write:
        """What the decoder asks for each token."""
        return self.write

    def write(
        self, index: int, ids: Sequence[int], token: int, logits: Callable[[], np.ndarray]
    ) -> list[int]:
        """The ids of an answer and one that is drawn; ``token``, the most probable, is not asked.

        By the inverse of the distribution function, from one uniform number.
        """
        scaled = logits().astype(np.float64) / self.temperature
        cumulated = np.cumsum(np.exp(scaled - scaled.max()))
        uniform = np.random.default_rng([self.seed, index, len(ids)]).random()
        return [*ids, int(np.searchsorted(cumulated, uniform * cumulated[-1], side="right"))]

    def finished(self, index: int, ids: Sequence[int], *, hit_limit: bool) -> list[int]:
        """The answer as it was drawn."""
        return list(ids)


def drawn_answers(
    answerer: Answerer,
    examples: Sequence[Example],
    system_prompt: str,
    *,
    n: int,
    temperature: float,
    seed: int,
) -> list[list[str]]:
    """``n`` answers to the prompt of each example, without the rules of decoding."""
    tokenizer = answerer.tokenizer
    prompts = [
        chat.encode_prompt(tokenizer, chat.render_example(tokenizer, example, system_prompt))
        for example in examples
        for _ in range(n)
    ]
    found: list[str] = [""] * len(prompts)
    for answer in answers(
        answerer.model,
        prompts,
        max_new_tokens=answerer.max_new_tokens,
        stop_ids=answerer.stop_ids,
        pad_id=tokenizer.pad_token_id,
        batch_size=answerer.batch_size,
        rules=Draws(temperature=temperature, seed=seed),
    ):
        found[answer.index] = answerer.text(answer)
    return [found[i : i + n] for i in range(0, len(found), n)]
