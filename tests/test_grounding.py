"""Grounded answers: no figure that the excerpt lacks, no line twice, the same in both paths."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_llama
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.answering import generate
from finllm.answering.generate import answers, greedy_batch
from finllm.answering.grounding import Ground
from finllm.answering.rules import MOST_TAKEN_BACK, Rules, most_probable
from finllm.instruct import chat
from finllm.model import attention, fused_decoder
from finllm.model.fused_decoder import Ended, decode
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.numbers import extract_quantities, is_stated
from finllm.scoring.figures import number_report
from finllm.scoring.reading import without_fragment
from finllm.settings.params import load_params

RESULTS = (
    "Revenue grew 12% to $4.2314 billion in the third quarter of 2023. We lost $(0.12) per share, "
    "or 12 cents. Leverage is 0.5x to 1.5x. We shipped 1,234,567 units and opened four plants. "
    "Margin fell 50 basis points to 18.5%. We expect $1.8 to $1.9 billion in 2024."
)
EXCERPTS = [
    RESULTS,
    "No figure here at all.",
    "",
    "Sales were $ 1 . 2 billion , up from $ 900 million ; the margin was 12.5 % .",
    "A loss of $(0.12) per share, growth of -5.2%, and \u20ac45 million from 2 to 3 regions.",
    "Der Umsatz stieg um 5,2 % auf 1,24 Milliarden Euro.",
]
PIECES = [*"0123456789.,%$-()\n \u20ac", *" a b c d e f g h i l m n o p q r s t u v w y".split()]
PIECES += [" million", " billion", " percent", " five", " two", " hundred", " quarter", " third"]
PIECES += [" rose", " fell", " loss", " of", " revenue", " to", " and", " year", " basis", "x"]


def packaged():
    """The packaged model's tokenizer."""
    model = load_params(Path(__file__).parents[1] / "params.yaml").model
    if importlib.util.find_spec(model.gguf_package) is None:
        pytest.skip(f"the package {model.gguf_package} is not installed")
    return load_tokenizer(base_folder(model), revision="")


@pytest.fixture(scope="module")
def smollm2():
    return packaged()


def rules_for(tokenizer, excerpts, *, grounding="figures", repetition="allow", stop_penalty=0.0):
    return Rules(
        tokenizer,
        stop_ids=chat.stop_ids(tokenizer),
        excerpts=excerpts,
        grounding=grounding,
        repetition=repetition,
        stop_penalty=stop_penalty,
    )


def random_answer(tokenizer, excerpt, seed, limit, **which):
    """What a decoder with random logits, fond of digits and number words, writes."""
    rng = np.random.default_rng(seed)
    rules, stops = rules_for(tokenizer, [excerpt], **which), chat.stop_ids(tokenizer)
    liked = [tokenizer(piece, add_special_tokens=False)["input_ids"][0] for piece in PIECES]
    digits, ids = liked[:10], []
    while len(ids) < limit and not (ids and ids[-1] in stops):
        logits = rng.normal(size=len(tokenizer)).astype(np.float32)
        logits[liked] += rng.gumbel(size=len(liked)) + 5
        logits[digits] += 3 * rng.random()
        written = rules.write(0, ids, int(logits.argmax()), lambda row=logits: row)
        assert written[:-1] == ids[: len(written) - 1]
        ids = written
    hit_limit = ids[-1] not in stops
    kept = rules.finished(0, ids if hit_limit else ids[:-1], hit_limit=hit_limit)
    return tokenizer.decode(kept, skip_special_tokens=True).strip(), hit_limit


def unsupported(text, excerpt):
    """The quantities of a text that an excerpt does not state, and how many such figures."""
    known = extract_quantities(excerpt)
    odd = [text[q.start : q.end] for q in extract_quantities(text) if not is_stated(q, known)]
    report = number_report(text, "", excerpt)
    return odd, round((1 - report.support) * report.n_candidate)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), limit=st.integers(1, 32), nth=st.integers(0, 4))
def test_no_answer_states_a_figure_that_its_excerpt_lacks(chatml, seed, limit, nth):
    text, hit_limit = random_answer(chatml, EXCERPTS[nth], seed, limit)
    assert unsupported(text, EXCERPTS[nth]) == ([], 0)
    if hit_limit:
        assert unsupported(without_fragment(text), EXCERPTS[nth]) == ([], 0)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), limit=st.integers(1, 32), nth=st.integers(0, 4))
def test_nor_does_one_of_the_packaged_tokenizer(smollm2, seed, limit, nth):
    text, _ = random_answer(smollm2, EXCERPTS[nth], seed, limit, repetition="bullets")
    assert unsupported(text, EXCERPTS[nth]) == ([], 0)


@settings(max_examples=15)
@given(numbers=st.lists(st.floats(0.01, 9999), min_size=1, max_size=4), seed=st.integers(0, 999))
def test_nor_where_the_excerpts_figures_are_any(chatml, numbers, seed):
    units = ("${:.2f} million", "{:.1f}%", "{:,.0f} stores", "a loss of ${:.2f} per share")
    stated = [unit.format(n) for unit, n in zip(units, numbers, strict=False)]
    excerpt = f"We report {', and '.join(stated)}."
    text, _ = random_answer(chatml, excerpt, seed, 24)
    assert unsupported(text, excerpt) == ([], 0)


def test_the_same_decoder_without_rules_invents_figures(chatml):
    found = [random_answer(chatml, RESULTS, n, 32, grounding="none")[0] for n in range(20)]
    assert sum(unsupported(text, RESULTS) != ([], 0) for text in found) > 10


def typed(text, excerpt):
    """How many characters of a text may be written one after another, and whether it may end."""
    ground = Ground(excerpt)
    for n in range(len(text)):
        if not ground.may_go_on(text[: n + 1], text[:n]):
            return n, False
    return len(text), ground.is_complete(text, text)


@pytest.mark.parametrize(
    "text",
    [
        "Revenue grew 12% to $4.2314 billion",
        "Revenue rose 12 percent to $4.23 billion.",
        "revenue of $4,231.4 million",
        "Revenue was $4.2bn in Q3 2023, and up twelve percent",
        "a loss of $0.12 per share",
        "a loss of 12 cents per share",
        "EPS of ($0.12)",
        "EPS was -$0.12",
        "leverage of 0.5x to 1.5x, or 1.5 times at most",
        "1,234,567 units and 1.2 million units",
        "margin fell 50bps to 18.5%",
        "1. Revenue grew 12%\n2. Margin: 18.5%",
        "4 plants",
        "guidance of $1.8 billion to $1.9 billion for 2024",
        "12%",
    ],
)
def test_stated_figures_can_be_written_in_other_words_a_character_at_a_time(text):
    assert typed(text, RESULTS) == (len(text), True)


@pytest.mark.parametrize(
    ("text", "n_written"),
    [
        ("Revenue grew 13%", len("Revenue grew 1")),
        ("Revenue fell 12%", len("Revenue fell 12")),  # "12 cents" goes on, and revenue rose 12%
        ("Revenue grew 12% to $4.3", len("Revenue grew 12% to $4.")),
        ("sales of five percent", len("sales of five percen")),
        ("two million", len("two millio")),
        ("a loss of $12", len("a loss of $")),
        ("a loss of $1.9 billion", len("a loss of $")),  # expected revenue, no loss
        ("in 2022", len("in 202")),
        ("the 1st", len("the 1")),
        ("\u00a3", 0),
        ("Revenue grew 12.5%", len("Revenue grew 12")),
        ("leverage of 2x", len("leverage of 2")),  # "2 billion dollars", of 1.9
        ("up 1,234,568 units", len("up 1,234,56")),
    ],
)
def test_a_figure_that_is_not_stated_stops_where_no_stated_one_goes_on(text, n_written):
    assert typed(text, RESULTS) == (n_written, False)


def test_a_list_with_marks_of_bold_text_can_be_written():
    text = "The call:\n\n1. **Sales**: up 12%.\n\n2. **Margin**: 18.5%\n\n3. **Loss**"
    assert typed(text, RESULTS) == (len(text), True)


def test_an_amount_that_the_excerpt_has_oddly_split_can_be_written():
    assert typed("Sales were $1.2 billion, a margin of 12.5%", EXCERPTS[3])[1]
    assert typed("Sales were $ 1 . 2 billion", EXCERPTS[3])[1]


def test_an_english_answer_states_the_figures_of_a_german_excerpt():
    assert typed("Revenue rose 5.2% to \u20ac1.24 billion.", EXCERPTS[5])[1]
    assert not typed("Revenue fell 5.2%", EXCERPTS[5])[1]


def test_an_excerpt_without_figures_leaves_words_and_numerals_of_a_list():
    assert typed("1. Sales rose\n2. Costs fell", EXCERPTS[1])[1]
    for text in ("7", "$", "Sales of 7", "Q3", "five percent"):
        assert not typed(text, EXCERPTS[1])[1]


class Scripted:
    """Logits of a model that wants to write a text, token by token, wherever it stands."""

    def __init__(self, tokenizer, text, otherwise=" then"):
        self.tokenizer, self.ids = tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"]
        self.otherwise = tokenizer(otherwise, add_special_tokens=False)["input_ids"][0]
        self.stops = chat.stop_ids(tokenizer)

    def answer(self, rules, limit):
        """What comes of it."""
        ids = []
        while len(ids) < limit and not (ids and ids[-1] in self.stops):
            logits = np.zeros(len(self.tokenizer), np.float32)
            logits[self.otherwise], logits[self.stops[0]] = 1, 2
            if len(ids) < len(self.ids):
                logits[self.ids[len(ids)]] = 3
            ids = rules.write(0, ids, int(logits.argmax()), lambda row=logits: row)
        hit_limit = ids[-1] not in self.stops
        kept = rules.finished(0, ids if hit_limit else ids[:-1], hit_limit=hit_limit)
        return self.tokenizer.decode(kept)


def test_a_figure_that_the_limit_cuts_is_left_out(chatml):
    script = Scripted(chatml, "Revenue of $4.2314 billion")
    lengths = range(1, len(script.ids) + 1)
    found = {script.answer(rules_for(chatml, [RESULTS]), n) for n in lengths}
    assert "Revenue of $4.2314 billion" in found
    for text in found - {"Revenue of $4.2314 billion"}:
        assert not any(character.isdigit() for character in text)


def test_an_answer_that_cannot_go_on_ends_before_its_figure(chatml):
    ground = rules_for(chatml, ["Sales of 7 stores."])
    ids = chatml("Sales of 8", add_special_tokens=False)["input_ids"]
    digits = np.zeros(len(chatml), np.float32)
    digits[ids[-1]] = 1
    digits[[i for i in range(len(chatml)) if i != ids[-1]]] = -np.inf
    written = ground.write(0, ids[:-1], ids[-1], lambda: digits)
    assert written[:-1] == ids[:-1] and written[-1] != ids[-1]


def test_the_end_is_refused_in_the_midst_of_a_figure_and_the_figure_completed(chatml):
    script = Scripted(chatml, "Revenue of $4.2")
    text = script.answer(rules_for(chatml, [RESULTS]), 40)
    assert text.startswith("Revenue of $4.2") and unsupported(text, RESULTS) == ([], 0)
    assert [round(q.value, -8) for q in extract_quantities(text)] == [4.2e9]


def test_a_token_that_writes_nothing_does_not_stand_in_for_the_rest_of_a_figure(chatml):
    rules, begun = rules_for(chatml, [RESULTS]), "Revenue of $4.2"
    ids = chatml(begun, add_special_tokens=False)["input_ids"]
    so_far = []
    for token in ids:
        so_far = rules.write(0, so_far, token, lambda: None)
    logits = np.zeros(len(chatml), np.float32)
    invisible = chatml.convert_tokens_to_ids("<|endoftext|>")
    assert chatml.decode([invisible], skip_special_tokens=True) == ""
    written = rules.write(0, so_far, invisible, lambda: logits)
    assert written[:-1] == ids and chatml.decode(written, skip_special_tokens=True) != begun


def test_a_bullet_is_not_written_twice(chatml):
    script = Scripted(chatml, "- Sales rose\n* sales rose.\n- Costs", otherwise="C")
    assert "sales rose." in script.answer(rules_for(chatml, [""], grounding="none"), 60)
    rules = rules_for(chatml, [""], grounding="none", repetition="bullets")
    lines = script.answer(rules, 60).split("\n")
    said = [line.strip(" -*.").lower() for line in lines if line.strip()]
    assert said.count("sales rose") == 1 and len(set(said)) == len(said)


@pytest.mark.parametrize("repetition", ["bullets", "figures"])
def test_a_line_whose_figures_are_all_told_is_written_only_where_figures_may_be_repeated(
    chatml, repetition
):
    text = "Sales rose 5% to $3 million.\nEarnings of $3 million, up 5%.\nCosts"
    script = Scripted(chatml, text, otherwise="C")
    answer = script.answer(rules_for(chatml, [""], grounding="none", repetition=repetition), 90)
    assert answer.startswith("Sales rose 5% to $3 million.\n")
    assert ("Earnings of $3 million, up 5%." in answer) == (repetition == "bullets")


def test_a_line_with_one_new_figure_stays(chatml):
    text = "Sales rose 5% to $3 million.\nEarnings of $4 million, up 5%.\nCosts"
    script = Scripted(chatml, text, otherwise="C")
    rules = rules_for(chatml, [""], grounding="none", repetition="figures")
    assert "Earnings of $4 million, up 5%." in script.answer(rules, 90)


def test_an_answer_that_does_nothing_but_repeat_ends_before_its_second_line(chatml):
    class Stubborn(Scripted):
        def answer(self, rules, limit):
            ids, n_asked = [], 0
            cycle = chatml("a\n", add_special_tokens=False)["input_ids"]
            spelled = [chatml(c, add_special_tokens=False)["input_ids"][0] for c in "abcdefgh"]
            while len(ids) < limit and not (ids and ids[-1] in self.stops):
                logits = np.zeros(len(self.tokenizer), np.float32)
                if ids and ids[-1] != cycle[1]:
                    logits[cycle[1]] = 9  # each line is a letter, of the first that may be
                logits[spelled] = np.linspace(8, 1, 8)
                ids = rules.write(0, ids, int(logits.argmax()), lambda row=logits: row)
                n_asked += 1
                assert n_asked < 200
            return self.tokenizer.decode(rules.finished(0, ids, hit_limit=False)), n_asked

    rules = rules_for(chatml, [""], grounding="none", repetition="bullets")
    text, _ = Stubborn(chatml, "").answer(rules, 80)
    lines = [line for line in text.replace("<|im_end|>", "").split("\n") if line]
    assert lines[0] == "a" and len(set(lines)) == len(lines) <= 1 + MOST_TAKEN_BACK


def test_equal_logits_are_taken_in_order_of_their_ids():
    logits = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 0.0], np.float32)
    assert most_probable(logits, 4) == [1, 3, 2, 4]
    assert most_probable(logits, 60) == [1, 3, 2, 4, 0, 5]


@pytest.fixture(scope="module")
def model():
    return tiny_llama(attention.NAME)


def asked(model, tokenizer, **which):
    """The answers to some prompts, by index."""
    encoded = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in EXCERPTS if text]
    rows = answers(
        model,
        encoded,
        max_new_tokens=40,
        stop_ids=chat.stop_ids(tokenizer),
        pad_id=0,
        batch_size=3,
        rules=rules_for(tokenizer, [text for text in EXCERPTS if text], **which) if which else None,
    )
    return {row.index: row for row in rows}


@pytest.mark.parametrize("lead", [1.4, 1.6])
def test_an_answer_ends_where_ending_leads_by_more_than_the_penalty(chatml, lead):
    stop, other = chat.stop_ids(chatml)[0], chatml("a", add_special_tokens=False)["input_ids"][0]
    logits = np.full(len(chatml), -9, np.float32)
    logits[other], logits[stop] = 2, 2 + lead
    before = logits.copy()
    rules = rules_for(chatml, [""], grounding="none", stop_penalty=1.5)
    assert rules.write(0, [], stop, lambda: logits) == [stop if lead > 1.5 else other]
    assert np.array_equal(logits, before)


WAYS = [
    ("figures", "allow", 0),
    ("none", "bullets", 0),
    ("figures", "bullets", 0),
    ("none", "allow", 2),
    ("figures", "bullets", 2),
    ("figures", "figures", 1),
]


@pytest.mark.parametrize(("grounding", "repetition", "stop_penalty"), WAYS)
def test_both_paths_write_the_same(model, chatml, monkeypatch, grounding, repetition, stop_penalty):
    which = {"grounding": grounding, "repetition": repetition, "stop_penalty": stop_penalty}
    fused = asked(model, chatml, **which)
    monkeypatch.setattr(generate, "can_decode", lambda _: False)
    assert asked(model, chatml, **which) == fused
    if grounding == "figures":
        assert asked(model, chatml) != fused, "the model invents figures where it may"


def test_a_draft_is_asked_about_like_any_token(model, chatml, monkeypatch):
    which = {"grounding": "figures", "repetition": "bullets"}
    drafted = asked(model, chatml, **which)
    monkeypatch.setattr(fused_decoder, "N_ASKED", 1)
    assert asked(model, chatml, **which) == drafted


def test_the_defaults_change_no_answer_and_ask_about_no_token(model, chatml, monkeypatch):
    plain = {"grounding": "none", "repetition": "allow"}
    assert rules_for(chatml, EXCERPTS, **plain).writer() is None
    assert asked(model, chatml, **plain) == asked(model, chatml)
    monkeypatch.setattr(generate, "can_decode", lambda _: False)
    assert asked(model, chatml, **plain) == asked(model, chatml)


def takes_back():
    """A ``Write`` that goes back from seven tokens to three, once, and bans the fourth."""
    banned = {}

    def write(index, ids, token, logits):
        if token == banned.get(index) and len(ids) == 3:
            token = most_probable(logits(), 2)[1]
        written = [*ids, token]
        if len(written) == 7 and index not in banned:
            banned[index] = written[3]
            return written[:3]
        return written

    return write


def recomputed(model, prompt, n_new):
    """The same by a whole pass for each token."""
    write, ids = takes_back(), []
    while len(ids) < n_new:
        with torch.no_grad():
            row = model(torch.tensor([prompt + ids])).logits[0, -1]
        ids = write(0, ids, int(row.argmax()), lambda row=row: row.numpy())
    return ids


def test_tokens_that_are_taken_back_leave_nothing_in_either_cache(model):
    prompts = [[5, 6, 7, 8] * 5, [9, 10], [200, 4, 31]]
    expected = [recomputed(tiny_llama("eager"), prompt, 20) for prompt in prompts]
    limits = {"max_new_tokens": 20, "stop_ids": []}
    events = decode(model, prompts, batch_size=2, write=takes_back(), **limits)
    fused = {event.index: event.ids for event in events if isinstance(event, Ended)}
    rows = greedy_batch(model, prompts, pad_id=0, write=takes_back(), **limits)
    assert fused == {row.index: row.ids for row in rows} == dict(enumerate(expected))


@pytest.mark.parametrize("text", ["a 1.134.1% decrease", "up 1.134.1", "revenue of 134.1.1"])
def test_digits_that_count_nothing_are_not_put_together_from_the_excerpts_figures(text):
    ground = Ground("Revenue was $134.1 million, up 1%.")
    assert ground.supports("Revenue was $134.1 million")
    assert not ground.supports(text)
