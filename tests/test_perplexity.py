"""The loss of references against the plain formula over the logits of transformers."""

import math

import pytest
import torch
from bounds import gamma, n_roundings
from conftest import make_example, tiny_llama

from finllm.answering.perplexity import reference_nats
from finllm.comparing.reference_loss import reference_perplexity
from finllm.instruct.chat import Encoded
from finllm.model import attention
from finllm.records import ReferenceLoss

ROWS = [Encoded([5, 9, 31, 7, 200], 3), Encoded([5, 6], 1), Encoded([8, 8, 8, 40, 41, 42], 2)]
SETTINGS = {"confidence": 0.95, "n_bootstrap": 199, "seed": 1}


def by_hand(row):
    """-sum log softmax(logits before the token)[token], in double precision."""
    model = tiny_llama("eager").double()
    with torch.no_grad():
        logits = model(torch.tensor([row.input_ids])).logits[0]
    return -sum(
        torch.log_softmax(logits[at - 1], -1)[row.input_ids[at]].item()
        for at in range(row.n_prompt, len(row.input_ids))
    )


def test_the_loss_is_that_of_the_answers_tokens_alone():
    model = tiny_llama(attention.NAME)
    close = {"rel": 2 * gamma(n_roundings(model, 6), torch.float32)}
    assert list(reference_nats(model, ROWS)) == pytest.approx(
        [by_hand(row) for row in ROWS], **close
    )


def test_the_loss_of_an_example_does_not_depend_on_the_others():
    model = tiny_llama(attention.NAME).bfloat16()
    together = list(reference_nats(model, ROWS))
    assert together[::-1] == [next(iter(reference_nats(model, [row]))) for row in ROWS[::-1]]


EXAMPLES = [
    make_example("a", company="A"),
    make_example("b", company="A"),
    make_example("c", company="B"),
]


def losses(model, nats, n_tokens=(4, 2, 4), ids="abc"):
    return [ReferenceLoss(i, model, n, x) for i, n, x in zip(ids, n_tokens, nats, strict=True)]


def test_perplexity_and_the_difference_by_hand():
    found = reference_perplexity(
        EXAMPLES,
        {"base": losses("base", (8.0, 4.0, 8.0)), "tuned": losses("tuned", (4.0, 3.0, 8.0))},
        **SETTINGS,
    )
    assert found["base"] == {
        "nats_per_token": 2.0,
        "perplexity": math.exp(2),
        "n_tokens": 10,
        "n_examples": 3,
    }
    assert found["tuned"]["perplexity"] == pytest.approx(math.exp(1.5))
    # a token of A's examples gains 1 and 0.5 nats, so .75 by company; B's gains nothing
    assert found["difference"]["estimate"] == pytest.approx(0.375)
    assert found["difference"]["low"] < 0.375 < found["difference"]["high"]
    assert (found["difference"]["n_companies"], found["difference"]["n_examples"]) == (2, 3)


def test_one_company_has_perplexities_and_no_difference():
    rows = [losses(m, (1.0, 2.0), (1, 1), "ab") for m in ("base", "tuned")]
    found = reference_perplexity(EXAMPLES[:2], {"base": rows[0], "tuned": rows[1]}, **SETTINGS)
    assert set(found) == {"base", "tuned"}


def test_nothing_measured_is_nothing_said():
    assert reference_perplexity(EXAMPLES, {"base": [], "tuned": []}, **SETTINGS) == {}


@pytest.mark.parametrize(
    ("tuned", "named"),
    [
        (losses("tuned", (1.0, 1.0), (4, 2), "ab"), "of tuned are not .*: c"),
        (losses("tuned", (1.0,) * 4, (4, 2, 4, 4), "abcc"), "of tuned are not .*twice"),
        (losses("tuned", (1.0,) * 3, (4, 3, 4)), "b: .* 2 tokens for base and 3 for tuned"),
        ([], "of tuned are not"),
    ],
)
def test_losses_that_do_not_pair_are_refused(tuned, named):
    with pytest.raises(ValueError, match=named):
        reference_perplexity(
            EXAMPLES, {"base": losses("base", (1.0, 1.0, 1.0)), "tuned": tuned}, **SETTINGS
        )
