from dataclasses import replace
from functools import partial

import pytest
from conftest import make_call

from finllm.corpus import boilerplate, disclaimers
from finllm.corpus.cleaning import cleaner
from finllm.records import Line, Turn, to_json, transcript_from_dict

NOTICE = (
    "Please note that these remarks are uncertain in nature, that we undertake no obligation to "
    "revise them, and that the {} team is responsible for this recording alone."
)


def said(name, *lines, company=None, role="executive"):
    turns = (Turn("Ann", role, "prepared", "\n".join(lines)),)
    return replace(make_call(name, turns=turns), company=company or name)


def keys(*calls):
    return disclaimers.repeated(one for call in calls for one in disclaimers.candidates(call))


def test_what_three_companies_say_nearly_alike_is_removed_and_its_words_are_counted():
    calls = [
        said(n, NOTICE.format(w), f"Sales of {n} rose.") for n, w in zip("abc", "xyz", strict=True)
    ]
    assert len(keys(*calls)) == 3
    call, n_words = disclaimers.erase(calls[1], keys(*calls))
    assert call.text == "Sales of b rose." and n_words == len(NOTICE.split())


def test_two_companies_are_too_few_but_two_calls_of_one_company_are_enough():
    assert not keys(said("a", NOTICE), said("b", NOTICE))
    assert keys(said("a1", NOTICE, company="a"), said("a2", NOTICE, company="a"))


def test_a_call_that_repeats_itself_shows_nothing():
    assert not keys(said("a", NOTICE, NOTICE, NOTICE))


@pytest.mark.parametrize(
    "line",
    [
        f"{NOTICE} It cost us $5 million.",  # a figure
        "Our stores did well, our people did well, and we thank all of them for that work.",
        "We undertake no obligation.",  # short
    ],
)
def test_lines_with_figures_or_without_a_disclaimers_words_or_short_ones_stay(line):
    calls = [said(name, line, "Sales rose.") for name in "abcd"]
    assert not keys(*calls)


def test_an_analysts_words_stay():
    calls = [said(name, NOTICE) for name in "abc"]
    asked = said("d", NOTICE, role="analyst")
    assert disclaimers.erase(asked, keys(*calls)) == (asked, 0)
    assert not disclaimers.candidates(asked)


def test_a_call_of_which_nothing_is_left_is_a_reject_with_a_reason(tmp_path):
    calls = [said(name, NOTICE) for name in "abc"]
    lines = [Line(tmp_path, i, to_json(call)) for i, call in enumerate(calls, 1)]
    found = disclaimers.eraser(keys(*calls))(lines)
    assert not found.lines and {r.reason for r in found.rejects} == {"empty_text"}
    assert found.counts["words_removed_repeated_disclaimer"] == 3 * len(NOTICE.split())


def clean(calls, removable):
    prepare = partial(
        cleaner, repair_mojibake=True, infer_turns=False, standardise_notation=False,
        company_for_missing="id",
    )  # fmt: skip
    return prepare(removable=removable)(calls)


def test_candidates_are_kept_only_where_the_kind_is_marked_removable(tmp_path):
    calls = [said(name, NOTICE, "Sales rose.") for name in "abc"]
    assert not clean(calls, ()).disclaimers
    cleaned = clean(calls, (boilerplate.REPEATED,))
    assert len(cleaned.disclaimers) == 3 and len(cleaned.lines) == 3
    lines = [Line(tmp_path, 1, line) for line in cleaned.lines]
    erased = disclaimers.eraser(disclaimers.repeated(cleaned.disclaimers))(lines)
    texts = [transcript_from_dict(Line(tmp_path, 1, x).row()).text for x in erased.lines]
    assert texts == ["Sales rose."] * 3
    before, after = cleaned.counts["words_after"], erased.counts["words_after"]
    assert before + after == sum(len(text.split()) for text in texts)
