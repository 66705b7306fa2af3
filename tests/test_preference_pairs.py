from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import make_example, tiny_llama

from finllm.answering.generate import answers
from finllm.instruct.splits import company_units
from finllm.preference.corruptions import repeat_bullet
from finllm.preference.inspection import pick_pair, show_pair
from finllm.preference.pairs import (
    Pair,
    audited,
    counted,
    mixed,
    rank,
    rated_pairs,
    read_pairs,
    sampled_pairs,
    with_parts,
    with_reference,
)
from finllm.preference.samples import Draws, drawn_answers
from finllm.rating.answered import Answered, keep_answered, read_answered
from finllm.rating.clicks import Click, read_folder
from finllm.records import write_jsonl

CALL = "In q3 2021 revenue rose 12% to $4.2 billion and net income was $310 million."
ANSWER = "q3 revenue rose 12% to $4.2 billion\nnet income was $310 million"


def example(number=1, **changes):
    fields = {"id": f"t{number}:summarization", "transcript_id": f"t{number}"}
    fields |= {"company": f"Company {number}", "excerpt": CALL, "answer": ANSWER}
    return make_example(**{**fields, **changes})


def rng():
    return np.random.default_rng(3)


def pair(number=1, kind="corrupted", **changes):
    row = Pair(f"t{number}:summarization", f"Company {number}", kind, "x", "right", "wrong")
    return replace(row, **changes)


def test_a_repeated_bullet_stands_behind_itself():
    assert repeat_bullet("a\nb", "", rng()) in ("a\na\nb", "a\nb\nb")


def test_references_of_rules_and_continuations_are_no_references_to_prefer():
    kept = with_reference([example(1), example(2, provenance="derived"), example(3)])
    assert [one.company for one in kept] == ["Company 1", "Company 3"]


def test_samples_are_ranked_by_accuracy_and_then_by_support_and_equal_ranks_are_left_out():
    wrong = ANSWER.replace("12%", "13%")
    unsupported = "the weather was fine in 7 countries"
    stated = "profit was $310 million"
    rows = [example(1), example(2), example(3, answer="nothing to report")]
    found, left_out = sampled_pairs(
        rows, [[wrong, ANSWER, "no figure"], [wrong, wrong], [unsupported, stated]]
    )
    assert [(one.chosen, one.rejected) for one in found] == [
        (ANSWER, "no figure"),
        (stated, unsupported),
    ]
    assert left_out == {"cut": 0, "few_complete": 0, "equal_rank": 1}


def test_an_answer_without_figures_ranks_with_one_whose_figures_are_all_stated():
    row = example(answer="are you confident?")
    plain, stated = "what comes next?", "what of the $310 million?"
    assert rank(plain, row) == rank(stated, row) == (1.0, 1.0)
    assert sampled_pairs([row], [[plain, stated]])[0] == []
    assert rank("what of the $999 million?", row) < rank(plain, row)
    assert rank(" ", row) == (0.0, 0.0)


def test_answers_that_the_length_limit_cut_are_not_paired_and_are_counted():
    rows = [example(1), example(2)]
    found, left_out = sampled_pairs(rows, [["no figure", None, ANSWER], [None, ANSWER, None]])
    assert [(one.chosen, one.rejected) for one in found] == [(ANSWER, "no figure")]
    assert left_out == {"cut": 3, "few_complete": 1, "equal_rank": 0}


def test_an_answer_drawn_to_its_limit_counts_as_cut(chatml):
    model = tiny_llama("eager")
    row = example(1)

    def drawn(max_new_tokens, stop_ids):
        answerer = SimpleNamespace(
            model=model, tokenizer=chatml, max_new_tokens=max_new_tokens, stop_ids=stop_ids,
            batch_size=4, text=lambda answer: f"{len(answer.ids)} tokens",
        )  # fmt: skip
        return drawn_answers(answerer, [row], "system", n=3, temperature=1.0, seed=1)

    assert drawn(2, []) == [[None] * 3]
    assert drawn(2, range(len(chatml))) == [["0 tokens"] * 3]


def answered(number, base="base's", tuned="tuned's", prompt="p", **cut):
    return Answered(f"t{number}:summarization", prompt, "w", base, tuned, **cut)


def preference(row, value, rater="ann", question="preference"):
    """That A, behind which the tuned model stands, was preferred, or B, or neither."""
    answer = "" if question == "preference" else "A"
    said = (question, answer, value, "tuned", row.sha256, "2026-01-01")
    return Click(rater, row.example_id, *said)


def test_what_people_preferred_stands_against_the_other_answer():
    rows = [answered(1), answered(2), answered(3), answered(4, prompt="of before"), answered(9)]
    rows += [answered(3, tuned="cut by", tuned_cut=True), answered(4, base="cut", base_cut=True)]
    clicks = [
        preference(rows[0], "B"),
        preference(rows[0], "A"),  # the last click of a rater counts
        preference(rows[1], "B"),
        preference(rows[1], "tie", "bob"),
        preference(rows[2], "A"),
        preference(rows[2], "B", "bob"),
        preference(rows[3], "A"),
        *(preference(row, "A") for row in rows[4:]),
        preference(answered(1, base="text that is not there"), "A"),
        preference(rows[2], 5, question="accuracy"),
    ]
    examples = [example(i) for i in (1, 2, 3, 4)]
    prompts = {row.id: "p" for row in examples}
    found, left_out = rated_pairs(clicks, rows, examples, prompts)
    assert [(one.company, one.kind, one.chosen, one.rejected) for one in found] == [
        ("Company 1", "rated", "tuned's", "base's"),
        ("Company 2", "rated", "base's", "tuned's"),
    ]
    assert left_out == {"rated_even": 1, "rated_cut": 2, "rated_of_other_examples": 3}


def test_answers_to_rate_are_kept_and_added_to(tmp_path):
    assert read_answered(tmp_path) == []
    keep_answered(tmp_path, [answered(1)])
    keep_answered(tmp_path, [answered(2)])
    assert read_answered(tmp_path) == [answered(1), answered(2)]
    file = tmp_path / "answers/answers.jsonl"
    before = file.read_text().replace(', "base_cut": false, "tuned_cut": false', "")
    assert "cut" not in before
    file.write_text(before)  # as files were before cut answers were marked
    assert read_answered(tmp_path) == [answered(1), answered(2)]
    assert read_folder(tmp_path) == []  # no rater is called answers
    (tmp_path / "answers/answers.jsonl").write_text('{"example_id": "x"}\n')
    with pytest.raises(ValueError, match=r"answers.jsonl: not the answers of `finllm rate`"):
        read_answered(tmp_path)


def test_the_kinds_are_mixed_by_their_weights_and_capped():
    rows = [pair(i) for i in range(30)] + [pair(i, "sampled") for i in range(10)]
    kept = mixed(rows, {"corrupted": 3, "sampled": 1}, max_pairs=20, rng=rng())
    assert counted(kept)["by_kind"] == {"corrupted": 15, "sampled": 5}
    assert counted(mixed(rows, {"corrupted": 1, "sampled": 1}, max_pairs=0, rng=rng()))[
        "by_kind"
    ] == {"corrupted": 10, "sampled": 10}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("sampled", "rank the same"),
        ("corrupted", "provenance must be"),
        ("rated", "rate --split train"),
    ],
)
def test_a_weighted_kind_without_pairs_is_an_error_that_names_its_weight(kind, why):
    other = "sampled" if kind == "corrupted" else "corrupted"
    with pytest.raises(ValueError, match=rf"prefer\.weights\.{kind} is 0\.5") as error:
        mixed([pair(1, other)], {kind: 0.5, other: 0.5}, max_pairs=0, rng=rng())
    assert why in str(error.value)


def apart(n):
    """Return companies without a common call, one a unit."""
    return [[f"Company {i}"] for i in range(n)]


def test_companies_that_share_a_call_are_in_one_part():
    rows = [example(i) for i in range(6)]
    units = company_units(rows, {"t0": "copied", "t3": "copied", "t5": "copied"})
    for seed in range(10):
        pairs = with_parts(
            [pair(i) for i in range(6)], units, val_share=0.3, rng=np.random.default_rng(seed)
        )
        part = {one.company: one.part for one in pairs}
        assert part["Company 0"] == part["Company 3"] == part["Company 5"]
        assert set(part.values()) == {"train", "val"}


def test_some_training_companies_choose_the_best_step_and_none_does_both():
    made = [pair(i) for i in range(10) for _ in range(2)]
    rows = with_parts(made, apart(12), val_share=0.2, rng=rng())
    val = {one.company for one in rows if one.part == "val"}
    assert len(val) == 2 and not val & {one.company for one in rows if one.part == "train"}
    with pytest.raises(ValueError, match="two companies"):
        with_parts([pair(1)], apart(12), val_share=0.2, rng=rng())
    with pytest.raises(ValueError, match="two companies without a common call"):
        with_parts([pair(0), pair(1)], [["Company 0", "Company 1"]], val_share=0.2, rng=rng())


def sets(**changes):
    found = {"train": [example(1), example(2)], "val": [example(3)], "test": [example(4)]}
    return {**found, "transfer": [], **changes}


def test_the_audit_finds_a_pair_of_a_company_that_is_tested():
    assert audited([pair(1)], sets(), {}).leaks == 0
    with pytest.raises(ValueError, match="shared_companies=1"):
        audited([pair(1)], sets(test=[example(5, company="Company 1")]), {})
    with pytest.raises(ValueError, match="shared_duplicate_groups=1"):
        audited([pair(1)], sets(), {"t1": "g", "t4": "g"})
    with pytest.raises(ValueError, match="t4:summarization has a preference pair and is no train"):
        audited([pair(4)], sets(), {})


def test_a_pair_of_equal_answers_is_refused():
    with pytest.raises(ValueError, match="t1:summarization: both answers .* are equal"):
        audited([pair(1, rejected="right ")], sets(), {})


def test_pairs_are_read_as_they_were_written(tmp_path):
    rows = [pair(1), pair(2, "sampled", part="val")]
    write_jsonl(tmp_path / "pairs.jsonl", rows)
    assert read_pairs(tmp_path / "pairs.jsonl") == rows


def test_inspection_shows_the_prompt_once_and_both_answers(chatml):
    one, row = pick_pair([pair(2), pair(1)], [example(1), example(2)], 1)
    shown = show_pair(chatml, row, one, "system", colour=False)
    assert shown.count(CALL) == 1
    assert shown.index("--- chosen") < shown.index("right") < shown.index("--- rejected")
    assert shown.endswith("wrong<|im_end|>")


def test_inspection_says_which_pairs_there_are():
    with pytest.raises(ValueError, match=r"pair 1: must be in 0 to 0"):
        pick_pair([pair(1)], [example(1)], 1)
    with pytest.raises(ValueError, match=r"set prefer\.method"):
        pick_pair([], [], 0)


def draw(temperature, *, seed=1, prompts=((5, 6, 7), (8, 9)), batch_size=4):
    found = answers(
        tiny_llama("eager"),
        [list(prompt) for prompt in prompts],
        max_new_tokens=6,
        stop_ids=[0],
        pad_id=0,
        batch_size=batch_size,
        rules=Draws(temperature=temperature, seed=seed),
    )
    return {one.index: one.ids for one in found}


def test_a_low_temperature_draws_the_most_probable_tokens_and_a_seed_its_own():
    greedy = answers(
        tiny_llama("eager"),
        [[5, 6, 7], [8, 9]],
        max_new_tokens=6,
        stop_ids=[0],
        pad_id=0,
        batch_size=4,
    )
    assert draw(1e-6) == {one.index: one.ids for one in greedy}
    assert draw(1.0) == draw(1.0, batch_size=1)
    assert draw(1.0) != draw(1.0, seed=2)


def test_tokens_are_drawn_as_often_as_they_are_probable():
    draws = Draws(temperature=2.0, seed=0)
    logits = 2.0 * np.log(np.array([0.2, 0.5, 0.3], dtype=np.float32))
    n = 2000
    tokens = [draws.write(i, [], 1, lambda: logits)[0] for i in range(n)]
    shares = np.bincount(tokens, minlength=3) / n
    assert np.abs(shares - [0.2, 0.5, 0.3]).max() < 4 * np.sqrt(0.25 / n)
