import pytest
from conftest import make_call, make_example

from finllm.instruct.reference_audit import audit_references


def example(call, template, answer, excerpt):
    return make_example(
        f"{call}:{template}", transcript_id=call, template=template, answer=answer, excerpt=excerpt
    )


CALLS = [make_call("a"), make_call("b"), make_call("c")]  # $4.2 billion, 12%, $310 million, ...


def test_figures_are_counted_against_the_call_and_against_the_excerpt():
    found = audit_references(
        [
            example("a", "summarization", "Sales $4.2 billion, +12%, EPS $9.99", "up 12 percent"),
            example("c", "summarization", "Net income $310 million", "Net income of $310 million."),
            example("c", "questions", "What drove the decline?", "Up 12%."),
        ],
        iter(CALLS),
    )
    assert found["summarization"] == {
        "n_figures": 4,
        "share_supported": 0.75,
        "recall_ceiling": 0.5,
        "share_lost_by_cut": 0.25,
    }
    assert found["questions"] == {"n_figures": 0}


@pytest.mark.parametrize("order", [["c", "a"], ["nowhere"]])
def test_an_example_whose_call_is_missing_or_out_of_order_is_named(order):
    rows = [example(call, "summarization", "Sales rose 12%.", "12%") for call in order]
    with pytest.raises(ValueError, match=f"{order[-1]}: an example's call is missing"):
        audit_references(rows, iter(CALLS))
