"""Loss of a model on the references, for each example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from transformers import PreTrainedModel

from finllm.instruct.chat import Encoded


@torch.inference_mode()
def reference_nats(model: PreTrainedModel, rows: Iterable[Encoded]) -> Iterator[float]:
    """Yield -log p(answer | prompt) in nats, summed over the answer's tokens, for each example.

    The tokens are those of training (``chat.encode_example``), so the token that ends the answer
    counts too. Examples are run one at a time, so that nothing depends on a batch plan. The
    products are in the model's dtype, the softmax and the sum in float32.

    Parameters
    ----------
    model
        A Llama-family model loaded with the ``matmul`` attention.
    rows
        Ids of prompt and answer; neither may be empty.
    """
    for row in rows:
        ids = torch.tensor([row.input_ids], device=model.device)
        hidden = model.model(input_ids=ids, use_cache=False)[0][0]
        logits = model.lm_head(hidden[row.n_prompt - 1 : -1]).float()
        labels = ids[0, row.n_prompt :]
        yield torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
