import pytest
from conftest import make_call
from hypothesis import given
from hypothesis import strategies as st

from finllm.numbers.support import Support, stated_figures, support, trim_summary, unstated_spans


def test_a_figure_is_supported_where_the_text_states_it_allowing_for_rounding():
    known = stated_figures("Revenue was $4.23 billion, up 12%, in the third quarter of 2021.")
    assert support("Revenue $4.2 billion, up 12 percent", known) == Support(2, 2)
    assert support("Revenue $4.2 million, up 12 basis points", known) == Support(2, 0)
    assert support("Revenue rose in 2021", known) == Support(0, 0)


def test_a_bullet_that_the_call_does_not_support_is_trimmed_with_its_line_and_figures():
    call = make_call(summary="Revenue rose 12%.\nMargin fell 70 basis points.\nA good year.")
    trimmed_call, rejects, audit = trim_summary(call, min_support=0.5)
    assert trimmed_call.summary == "Revenue rose 12%.\nA good year."
    assert audit == Support(2, 1)
    assert [(r.id, r.line, r.reason) for r in rejects] == [(call.id, 2, "unsupported_figures")]
    assert "0 of 1 figures" in rejects[0].detail and "70 basis points" in rejects[0].detail


def test_a_summary_without_a_supported_bullet_is_none():
    trimmed_call, rejects, _ = trim_summary(make_call(summary="EPS $9.99."), min_support=1.0)
    assert trimmed_call.summary is None and len(rejects) == 1


@pytest.mark.parametrize("summary", [None, "Revenue rose 99%.\nA good year."])
def test_a_bound_of_zero_trims_nothing(summary):
    call = make_call(summary=summary)
    assert trim_summary(call, min_support=0.0)[:2] == (call, [])


@given(st.lists(st.integers(1, 99), min_size=1, max_size=6), st.floats(0, 1))
def test_bullets_kept_and_trimmed_add_up_and_a_trimmed_call_passes(percents, bound):
    call = make_call(summary="\n".join(f"Sales rose {n}%." for n in percents))
    trimmed_call, rejects, _ = trim_summary(call, min_support=bound)
    left = trimmed_call.summary.split("\n") if trimmed_call.summary else []
    assert len(left) + len(rejects) == len(percents)
    assert trim_summary(trimmed_call, min_support=bound)[1] == []


def test_spans_of_unstated_figures_are_where_the_reference_writes_them():
    reference = "Revenue rose 12% to $4.2 billion; EPS $1.32."
    known = stated_figures("revenue grew 12%, and earnings were $1.32 a share")
    spans = unstated_spans(reference, known)
    assert [reference[start:end] for start, end in spans] == ["$4.2 billion"]
    assert unstated_spans("No figures at all.", known) == []
