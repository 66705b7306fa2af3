from collections import Counter
from pathlib import Path

import pytest

from finllm.instruct import choosing
from finllm.instruct.drafting import Drafts, Key
from finllm.records import Line, Reject

KEYS = [Key(f"k{i}", "ab"[i % 2], "derived", "sample", 10 + i, 5, i // 2 + 1) for i in range(6)]


def drafted():
    batches = [
        Drafts([f"draft {k.id}" for k in KEYS[:2]], KEYS[:2], [Reject("x", "", 0, "no_text", "")]),
        Drafts([f"draft {k.id}" for k in KEYS[2:]], KEYS[2:], []),
    ]
    found = choosing.Candidates()
    return found, list(found.lines(batches))


def lines(texts):
    return (Line(Path("f"), number, f"{text}\n") for number, text in enumerate(texts, 1))


def test_the_chosen_keep_their_lines_and_the_others_become_rejects():
    found, texts = drafted()
    assert found.labels()[1] == ("b", "k1", "sample")
    keys, kept = found.choose({"k0", "k3", "k4"}, lines(texts))
    assert list(kept) == ["draft k0", "draft k3", "draft k4"]
    assert [key.id for key in keys] == ["k0", "k3", "k4"]
    assert [r.reason for r in found.rejects] == ["no_text"] + 3 * ["over_quota"]


def test_a_call_comes_with_its_own_examples_and_one_without_any_does_not_come():
    keys = [KEYS[0], KEYS[1], KEYS[5]]  # of the calls 1, 1 and 3
    pairs = choosing.with_examples(keys, lines("xyz"), lines(["k0", "k1", "k5"]))
    said = [(call.text.strip(), [row.text.strip() for row in rows]) for call, rows in pairs]
    assert said == [("x", ["k0", "k1"]), ("z", ["k5"])]


def test_the_figures_of_the_choice_add_up():
    found, texts = drafted()
    keys, _ = found.choose({"k0", "k1", "k2"}, lines(texts))
    figures = choosing.described(keys, found.rejects, {"a": 2, "b": 1})
    assert figures["candidates"] == figures["examples"] + sum(
        figures["rejected_by_reason"].values()
    )
    assert figures["share_by_template"] == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert (figures["mean_prompt_tokens"], figures["max_tokens"]) == (11, 17)


def test_batches_of_the_audit_are_added_up_by_template():
    one = Counter(n_figures=4, in_call=3, in_excerpt=1)
    totals = choosing.audited([{"a": one}, {"a": one, "b": Counter(n_figures=0)}])
    assert totals["a"]["n_figures"] == 8 and totals["a"]["recall_ceiling"] == 0.25
    assert totals["b"] == {"n_figures": 0}


def test_what_limits_the_examples_is_the_template_with_fewest_for_its_share():
    labels = [("a", f"a{i}", "s") for i in range(50)] + [("b", f"b{i}", "s") for i in range(12)]
    assert choosing.limit(labels, {"a": 0.8, "b": 0.2}, 0) == "only 12 of b"
    assert choosing.limit(labels, {"a": 0.9, "b": 0.1}, 0) == "only 50 of a"
    assert choosing.limit(labels, {"a": 0.8, "b": 0.2}, 10) == "templatize.max_examples is 10"
    assert choosing.limit(labels, {"a": 1.0, "b": 0.0}, 0) == "only 50 of a"
