import numpy as np
import pytest
from conftest import make_call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finllm.corpus.sources import read_source
from finllm.fiction.synthetic import iter_calls
from finllm.instruct import chat, examples, templates, windows
from finllm.instruct.disturbance import reworded
from finllm.languages.lexicon import BUILTIN, Lexicon
from finllm.records import Example, Reject, Turn, write_jsonl, write_text
from stages.sample import SOURCE

SYSTEM = "Be exact."


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(BUILTIN)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Eight fictional calls, read as the pipeline reads them."""
    folder = tmp_path_factory.mktemp("raw")
    found = iter_calls(
        n_companies=8,
        n_calls=8,
        first_year=2020,
        rng=np.random.default_rng(3),
        n_short=0,
        n_offtopic=0,
        n_duplicates=0,
    )
    write_jsonl(folder / "calls.jsonl", found)
    write_text(folder / "source.yaml", SOURCE)
    return list(read_source(folder))


def prompt_of(tokenizer, instruction, excerpt):
    return chat.render_prompt(
        tokenizer, system_prompt=SYSTEM, instruction=instruction, excerpt=excerpt
    )


def budget_for(tokenizer, *, max_tokens=1500, max_answer_tokens=400):
    return examples.Budget(
        lambda texts: (
            [len(row) for row in tokenizer(texts, add_special_tokens=False).input_ids]
            if texts
            else []
        ),
        lambda instruction, excerpt: len(
            chat.encode_prompt(tokenizer, prompt_of(tokenizer, instruction, excerpt))
        ),
        max_tokens,
        max_answer_tokens,
        "rule",
    )


def draft_all(calls, lexicon, budget, seed=0, paraphrases=True):
    rng = np.random.default_rng(seed)
    return [
        row
        for call in calls
        for row in examples.candidates(
            call, lexicon=lexicon, budget=budget, paraphrases=paraphrases, rng=rng
        )
    ]


def made(rows):
    return [row for row in rows if isinstance(row, Example)]


@pytest.mark.parametrize("max_tokens", [500, 900, 1500])
def test_prompt_and_answer_never_exceed_the_budget_as_really_encoded(
    any_tokenizer, calls, lexicon, max_tokens
):
    budget = budget_for(any_tokenizer, max_tokens=max_tokens, max_answer_tokens=max_tokens // 3)
    rows = made(draft_all(calls, lexicon, budget))
    assert rows
    for row in rows:
        prompt = prompt_of(any_tokenizer, row.instruction, row.excerpt)
        encoded = chat.encode_example(any_tokenizer, prompt, row.answer)
        assert len(encoded.input_ids) <= max_tokens
        assert row.n_prompt_tokens == encoded.n_prompt
        assert row.n_answer_tokens == len(encoded.input_ids) - encoded.n_prompt
        assert row.n_answer_tokens <= max_tokens // 3


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.sampled_from(["Revenue", "$4.2", "é€✓", "x" * 30, "rose. We", "12%.", "\n"])),
    max_tokens=st.integers(120, 400),
)
def test_no_text_of_any_kind_exceeds_the_budget(llama3, lexicon, words, max_tokens):
    text = "Revenue rose 12% to $4 billion. " + " ".join(words)
    call = make_call(turns=[Turn("X", "executive", "prepared", text)])
    budget = budget_for(llama3, max_tokens=max_tokens, max_answer_tokens=max_tokens // 2)
    for row in made(draft_all([call], lexicon, budget)):
        prompt = prompt_of(llama3, row.instruction, row.excerpt)
        assert len(chat.encode_example(llama3, prompt, row.answer).input_ids) <= max_tokens


def test_the_answer_is_the_whole_reference_and_never_a_part_of_it(chatml, calls, lexicon):
    by_id = {call.id: call for call in calls}
    rows = made(draft_all(calls, lexicon, budget_for(chatml)))
    summaries = [row for row in rows if row.template == templates.SUMMARIZATION]
    assert summaries
    for row in summaries:
        assert row.answer == by_id[row.transcript_id].summary


def test_an_answer_over_its_budget_is_a_reject_with_a_reason_and_never_cut(chatml, lexicon):
    call = make_call(summary="Revenue rose 12% to $4.2 billion in the quarter. " * 20)
    budget = budget_for(chatml, max_answer_tokens=60)
    (reject,) = [
        row for row in draft_all([call], lexicon, budget) if row.id.endswith("summarization")
    ]
    assert isinstance(reject, Reject) and reject.reason == "answer_too_long"
    assert "allowed 60" in reject.detail


def test_every_call_gives_one_example_or_one_reason_a_template(chatml, calls, lexicon):
    rows = draft_all(calls, lexicon, budget_for(chatml, max_tokens=500, max_answer_tokens=150))
    assert [row.id for row in rows] == [
        f"{call.id}:{template}" for call in calls for template in templates.TEMPLATES
    ]
    assert all(row.reason for row in rows if isinstance(row, Reject))


def test_one_seed_gives_the_same_examples_and_another_gives_others(chatml, calls, lexicon):
    budget = budget_for(chatml)
    first = draft_all(calls, lexicon, budget, seed=1)
    assert first == draft_all(calls, lexicon, budget, seed=1)
    assert first != draft_all(calls, lexicon, budget, seed=2)


def test_the_answer_of_a_completion_follows_its_excerpt_in_the_call(chatml, calls, lexicon):
    by_id = {call.id: call for call in calls}
    rows = [
        row
        for row in made(draft_all(calls, lexicon, budget_for(chatml, max_tokens=900)))
        if row.template == templates.COMPLETION
    ]
    assert rows
    for row in rows:
        text = " ".join(windows.sentences(by_id[row.transcript_id].text))
        assert f"{row.excerpt} {row.answer}" in text
        assert row.provenance == "continuation"


def test_every_sentence_of_an_excerpt_stands_in_the_call(chatml, calls, lexicon):
    by_id = {call.id: call for call in calls}
    for row in made(draft_all(calls, lexicon, budget_for(chatml, max_tokens=900))):
        said = windows.sentences(by_id[row.transcript_id].text)
        assert set(windows.sentences(row.excerpt)) <= set(said)


def test_a_prompt_in_the_held_out_wording_fits_the_budget_too(any_tokenizer, calls, lexicon):
    budget = budget_for(any_tokenizer, max_tokens=500, max_answer_tokens=150)
    rows = made(draft_all(calls, lexicon, budget))
    assert rows
    for row, other in zip(rows, reworded(rows), strict=True):
        assert budget.count_prompt(other.instruction, row.excerpt) + row.n_answer_tokens <= 500


def test_the_held_out_wording_is_never_asked(chatml, calls, lexicon):
    asked = {
        row.instruction
        for seed in range(6)
        for row in made(draft_all(calls, lexicon, budget_for(chatml), seed))
    }
    held_out = {templates.held_out_wording(name) for name in templates.TEMPLATES}
    assert len(asked) > 4 and not asked & held_out


@pytest.mark.parametrize("section", ["qa", "unknown"])
def test_the_excerpt_of_a_question_does_not_show_the_question(chatml, lexicon, section):
    question = "Could you tell us why net revenue fell 40% to $9 million in that quarter?"
    call = make_call(
        turns=[
            Turn("A", "executive", section, "Revenue rose 12% to $4 billion. Thank you all."),
            Turn("B", "analyst", section, question),
            Turn("A", "executive", section, "Gross margin fell 3% and EBITDA was $5 million."),
        ]
    )
    rows = draft_all([call], lexicon, budget_for(chatml))
    (row,) = [row for row in rows if row.id.endswith(":questions")]
    if section == "unknown":
        assert row.answer == question
        assert row.excerpt == "Revenue rose 12% to $4 billion."
    else:  # nothing was said before the questions began
        assert isinstance(row, Reject) and row.reason == "too_little_text"


@pytest.mark.parametrize(
    ("change", "template", "reason"),
    [
        ({"summary": None}, "summarization", "no_summary"),
        ({"summary": "Good."}, "summarization", "too_little_text"),
        ({"turns": [Turn("A", "executive", "prepared", "Hi.")]}, "completion", "no_continuation"),
        ({"turns": [Turn("A", "executive", "prepared", "Hi.")]}, "understanding", "no_key_figure"),
        (
            {"turns": [Turn("A", "executive", "prepared", "Hi.")]},
            "questions",
            "no_analyst_question",
        ),
    ],
)
def test_a_call_without_a_template_says_why(chatml, lexicon, change, template, reason):
    rows = draft_all([make_call(**change)], lexicon, budget_for(chatml))
    (row,) = [row for row in rows if row.id.endswith(template)]
    assert isinstance(row, Reject) and row.reason == reason


def test_an_empty_call_gives_reasons_only(chatml, lexicon):
    call = make_call(turns=[Turn("", "unknown", "unknown", "")], summary=None)
    assert not made(draft_all([call], lexicon, budget_for(chatml)))


def test_a_choice_keeps_exactly_the_quotas_and_only_what_was_offered():
    keys = [(name, f"{i}:{name}") for name in templates.TEMPLATES for i in range(50)]
    weights = dict(zip(templates.TEMPLATES, (0.4, 0.3, 0.2, 0.1), strict=False))
    chosen, quotas = examples.choose(
        keys, weights=weights, max_examples=20, rng=np.random.default_rng(0)
    )
    assert list(quotas.values()) == [8, 6, 4, 2]
    assert chosen <= {key for _, key in keys} and len(chosen) == 20
    for name, quota in quotas.items():
        assert sum(key.endswith(name) for key in chosen) == quota


def test_a_choice_is_drawn_and_not_the_first_in_the_file():
    keys = [(name, f"{i:03}:{name}") for name in templates.TEMPLATES for i in range(100)]
    weights = dict.fromkeys(templates.TEMPLATES, 0.25)
    draws = [
        examples.choose(keys, weights=weights, max_examples=40, rng=np.random.default_rng(seed))[0]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def keys_of(source, n, names=templates.TEMPLATES):
    return [(name, f"{source}{i:03}:{name}", source) for name in names for i in range(n)]


def by_source(rows, transfer_source, weights=(0.4, 0.3, 0.2, 0.1)):
    return examples.choose_by_source(
        rows,
        weights=dict(zip(templates.TEMPLATES, weights, strict=False)),
        max_examples=20,
        transfer_source=transfer_source,
        rng=np.random.default_rng(0),
    )


def test_a_transfer_source_changes_no_choice_of_the_others_and_may_lack_templates():
    alone, _ = by_source(keys_of("a", 50), "none")
    second = keys_of("b", 30, (templates.UNDERSTANDING, templates.COMPLETION))
    both, counts = by_source(keys_of("a", 50) + second, "b")
    assert {key for key in both if key[0] == "a"} == alone and len(alone) == 20
    assert sum(key[0] == "b" for key in both) == 52  # 30 : 22, which is 0.4 : 0.3 and rounding
    assert list(counts.values()) == [8 + 30, 6 + 22, 4, 2]


@pytest.mark.parametrize("names", [(), (templates.QUESTIONS,)])
def test_a_transfer_source_without_a_template_of_any_weight_is_an_error(names):
    with pytest.raises(ValueError, match="data.transfer_source gives examples of (no|questions)"):
        by_source(keys_of("a", 50) + keys_of("b", 9, names), "b", (0.5, 0.3, 0.2, 0.0))


def test_without_paraphrases_every_instruction_is_the_methods_own(chatml, calls, lexicon):
    budget = budget_for(chatml)
    plain = made(draft_all(calls, lexicon, budget, paraphrases=False))
    assert {(r.template, r.instruction) for r in plain} == {
        (name, templates.wordings(name)[0]) for name in templates.TEMPLATES
    }
    varied = made(draft_all(calls, lexicon, budget))
    assert len({r.instruction for r in varied}) > len(templates.TEMPLATES)


def test_an_example_says_which_of_its_references_figures_the_excerpt_lacks(chatml, lexicon):
    call = make_call(summary="Revenue rose 12%.\nBacklog stood at $77 million.")
    (row,) = (
        row
        for row in made(draft_all([call], lexicon, budget_for(chatml)))
        if row.template == "summarization"
    )
    assert "12%" in row.excerpt
    assert [row.answer[start:end] for start, end in row.unstated] == ["$77 million"]
