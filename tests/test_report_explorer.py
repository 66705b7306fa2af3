"""The explorer of examples: what the script sorts by, and a browser that clicks through it."""

import dataclasses
import html
import json
import re

import pytest
from test_report import COMPANIES, PRIMARY, browse, make_evidence, render

from finllm.records import METRICS, Score
from finllm.report.explorer import explorer, script, script_source
from finllm.report.passages import passages
from finllm.report.showcase import anchor

FACTS = ("Acme", "Energy", "2021Q3", "questions", "human")


def score(key, model, values, split="test"):
    return Score(key, model, split, *FACTS, values)


def test_the_scores_of_every_metric_stand_by_example_the_primary_first():
    values = {name: 0.125 for name in METRICS} | {PRIMARY: None, "bleu": float("nan")}
    found = explorer(
        [
            score("e1", "base", values),
            score("e1", "tuned", values | {PRIMARY: 1 / 3}),
            score("e1", "lead", values),
            score("e2", "base", values, split="transfer"),
        ],
        primary=PRIMARY,
    )
    assert found.metrics[0] == (PRIMARY, "Number accuracy", "number accuracy")
    assert len(found.metrics) == len(METRICS) and found.companies == ["Acme"]
    assert found.templates == ["questions"] and list(found.base) == ["e1"]
    base, tuned = found.base["e1"].split(), found.tuned["e1"].split()
    assert (base[0], tuned[0]) == ("-", "0.333333")
    assert base[[name for name, *_ in found.metrics].index("bleu")] == "-"
    assert len(base) == len(tuned) == len(METRICS)


def test_the_policy_names_the_script_by_its_hash():
    # Content Security Policy Level 3, section 8.3: the SHA-256 of "doSomething();" as in its text.
    assert script_source("doSomething();") == "sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc="
    assert "</script" not in script() and "innerHTML" not in script()


def test_every_example_is_there_without_the_script_regressions_first():
    text = render(make_evidence(), n_examples=100)
    gains = re.findall(r'<b class="gain [a-z]*">([^<]*)</b>', text)
    assert len(gains) == 16
    assert gains[:2] == ["\N{MINUS SIGN}0.300", "\N{MINUS SIGN}0.250"]
    assert gains[6] == "+0.450" and gains[-1] == "0.000"
    hidden = re.search(r'<form id="explorer-form" hidden>', text)
    assert hidden, "a form that does nothing without its script must not show"


def test_without_leave_to_show_text_the_explorer_still_sorts_numbers():
    text = render(make_evidence(base_text="Secret loss."), include_text=False, n_examples=100)
    assert text.count('<div class="example" id="example-c') == 16 and "Secret" not in text


# --- what a card shows


def cards(text):
    """The attributes of every example's element, by the example's id, in the order of the page."""
    found = re.findall(r'<details class="example" (data-[^>]*)>.*?</b> (\S+) ', text, re.DOTALL)
    return {name: dict(re.findall(r'data-([a-z-]+)="([^"]*)"', data)) for data, name in found}


def with_texts(**changes):
    """The evidence with other texts for the first example: excerpt, answer, base, tuned."""
    evidence = make_evidence()
    for name in ("excerpt", "answer"):
        if name in changes:
            old = evidence.examples[0]
            evidence.examples[0] = dataclasses.replace(old, **{name: changes[name]})
    for rows, name in ((evidence.base, "base"), (evidence.tuned, "tuned")):
        if name in changes:
            rows[0] = dataclasses.replace(rows[0], text=changes[name])
    return evidence


FIRST = "c00:summarization"


def card(evidence, **options):
    """The first example's element."""
    text = render(evidence, n_examples=100, **options)
    return next(c for c in text.split('<details class="example"')[1:] if f"> {FIRST} <" in c)


def test_a_card_counts_the_figures_that_neither_excerpt_nor_reference_states():
    evidence = with_texts(
        base="Up 12%, or $9 million.", tuned="Up 7% to $3 million, from $1 million."
    )
    text = render(evidence, n_examples=100)
    first = cards(text)[FIRST]
    assert (first["unsupported-base"], first["unsupported-tuned"]) == ("1", "3")
    assert first["company"] == "Acme" and first["template"] == "summarization"
    assert "3 unsupported figures in the tuned answer" in card(evidence)
    marks = re.findall(r'<mark class="(?:invented|contradicted)"', card(evidence))
    assert len(marks) == 4, "the counts are those of the marks that the reader sees"


def test_the_answers_are_whole_and_a_short_excerpt_is_too():
    words = "We grew in every region and thank everyone. " * 60
    evidence = with_texts(excerpt=words + "Sales rose 12%.", tuned=words + "Sales rose 12%.")
    shown = html.unescape(re.sub(r"<[^>]+>", "", card(evidence)))
    assert shown.count(words) == 2 and "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert '<mark class="quoted" title="quoted">12%</mark>' in card(evidence)


def test_of_a_long_excerpt_every_figure_that_is_judged_stays():
    filler = "We thank everyone for a good year. "
    text = f"{filler * 300}Margin was 37.5%. {filler * 300}Sales rose 12%.{filler * 300}"
    pieces = passages(text, ["Sales rose 12%.", "Margin: 37.5%", "Up 99%"], n_characters=2000)
    shown = "".join(piece.text for piece in pieces)
    assert [p.text for p in pieces if p.mark] == ["37.5%", "12%"]
    assert "Margin was 37.5%. We" in shown and "year. Sales rose 12%" in shown
    assert len(shown) < 2500 and shown.startswith(filler) and shown.endswith(" …")
    kept = [part.strip() for part in shown.split("…") if part.strip()]
    assert len(kept) == 3 and all(part in text for part in kept)
    assert passages("", ["12%"], n_characters=10) == []


def test_a_score_of_one_without_figures_is_explained_and_no_other_is():
    evidence = make_evidence(base_text="Flat.")
    for row in evidence.scores:
        if row.example_id == FIRST and row.model == "base":
            row.values[PRIMARY] = 1.0
    said = "The reference and the base answer state no figure."
    assert said in card(evidence) and "1.000 for an answer without figures" in card(evidence)
    assert render(evidence, n_examples=100).count('class="note why"') == 1
    evidence.examples[0] = dataclasses.replace(evidence.examples[0], answer="Up 12%.")
    assert said not in card(evidence)


def test_links_to_examples_are_distinct_and_need_no_escape():
    text = render(make_evidence(), n_examples=100)
    links = re.findall(r'href="#(example-[^"]*)"', text)
    assert len(links) == len(set(links)) == 16
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", link) and f'id="{link}"' in text for link in links)
    taken = set()
    for example_id in ("a:b", "a b", "a-b"):
        taken.add(anchor(example_id, taken))
    assert taken == {"example-a-b", "example-a-b-2", "example-a-b-3"}


# --- in a browser


def driven(page, steps):
    """The page in a frame, and a script that sets its fields and notes what it shows."""
    return f"""<!doctype html><body><iframe style="width:900px;height:900px"
srcdoc="{html.escape(page)}"></iframe><script>onload = async () => {{
  const frame = document.querySelector("iframe");
  const page = frame.contentDocument;
  const form = page.getElementById("explorer-form");
  const note = () => {{
    const cards = [...page.querySelectorAll("#explorer-list > *")].filter((c) => !c.hidden);
    const heading = page.getElementById("explorer-heading").textContent;
    const open = cards.filter((c) => c.open).map((c) => c.querySelector("[id]").id);
    if (!cards.length) return [heading, page.getElementById("explorer-status").textContent];
    const first = cards[0].querySelector(".gain").textContent;
    const why = [...page.querySelectorAll(".why")].filter((c) => !c.hidden).length;
    return [heading, first, cards[0].dataset.template, cards.length, why, ...open];
  }};
  const seen = [[form.hidden], note()];
  for (const [field, value] of {json.dumps(steps)}) {{
    if (field === "more") page.getElementById("explorer-more").click();
    else if (field === "reset") form.querySelector("[type=reset]").click();
    else if (field === "go") frame.contentWindow.location.hash = value;
    else {{
      form.elements[field].value = value;
      const kind = field === "search" ? "input" : "change";
      form.elements[field].dispatchEvent(new Event(kind));
    }}
    await new Promise((done) => setTimeout(done, 50));
    seen.push(note());
  }}
  document.body.dataset.seen = JSON.stringify(seen);
}};</script></body>"""


def seen_in_a_browser(tmp_path, page, steps):
    path = tmp_path / "frame.html"
    path.write_text(driven(page, steps), encoding="utf-8")
    dom, console = browse(path, tmp_path / "profile")
    assert console == []
    found = re.search(r'data-seen="([^"]*)"', dom)
    return json.loads(html.unescape(found[1]))


MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize("include_text", [True, False])
def test_a_browser_sorts_by_metric_and_order_and_filters_by_template(tmp_path, include_text):
    evidence = make_evidence()
    names = [PRIMARY, *(name for name in METRICS if name != PRIMARY)]
    for row in evidence.scores:  # by BLEU everything is the other way round
        row.values["bleu"] = 1 - row.values["bleu"]
    page = render(evidence, include_text=include_text, n_examples=100)
    steps = [
        ["order", "gains"],
        ["metric", str(names.index("bleu"))],
        ["template", "summarization"],
    ]
    steps += [["template", ""], ["more", ""], ["order", "regressions"]]
    hidden, *seen = seen_in_a_browser(tmp_path, page, steps)
    assert hidden == [False]
    assert [row[:4] for row in seen] == [
        ["Largest regressions in number accuracy", f"{MINUS}0.300", "summarization", 8],
        ["Largest gains in number accuracy", "+0.450", "understanding", 8],
        ["Largest gains in BLEU", "+0.300", "summarization", 8],
        ["Largest gains in BLEU, template “summarization”", "+0.300", "summarization", 8],
        ["Largest gains in BLEU", "+0.300", "summarization", 8],
        ["Largest gains in BLEU", "+0.300", "summarization", 16],
        ["Largest regressions in BLEU", f"{MINUS}0.450", "understanding", 8],
    ]


def test_a_browser_searches_filters_and_opens_the_example_of_a_link(tmp_path):
    evidence = with_texts(base="Up 12%, or $9 million.", tuned="Up $3 million in Ruritania.")
    for row in evidence.scores:
        if row.example_id == "c04:understanding" and row.model == "base":
            row.values[PRIMARY] = 1.0  # without figures: explained
    page = render(evidence, n_examples=100)
    steps = [
        ["company", "Acme"],
        ["figures", "unsupportedTuned"],
        ["reset", ""],
        ["search", "ruritania UP"],
        ["search", "nothing of the kind"],
        ["go", "#example-c15-understanding"],
        ["metric", "1"],
    ]
    _, first, *seen = seen_in_a_browser(tmp_path, page, steps)
    assert first[3:] == [8, 1], "nothing is open, and one score is explained"
    company, figures, reset, search, none, link, other = seen
    assert company[0].endswith(", Acme") and company[3] == 4
    assert figures[0].endswith(", Acme, tuned answer has unsupported figures") and figures[3] == 1
    assert reset[0] == "Largest regressions in number accuracy" and reset[3] == 8
    assert search[0].endswith("with “ruritania UP”") and search[3] == 1
    assert none[1] == "No example matches: change the search or a filter."
    assert link[3] == 16 and link[5:] == ["example-c15-understanding"]
    assert other[4] == 0, "what explains the primary metric is not said of another one"


def test_every_field_of_the_explorer_has_a_name_and_can_be_reached_by_keyboard():
    text = render(make_evidence(), n_examples=100)
    form = re.search(r'<form id="explorer-form".*?</form>', text, re.DOTALL)[0]
    fields = re.findall(r'<(?:select|input)[^>]* name="([a-z]+)"', form)
    assert fields == ["search", "metric", "order", "template", "company", "figures"]
    labelled = re.findall(r'<label>[A-Z][a-z]+ <(?:select|input)[^>]* name="([a-z]+)"', form)
    assert labelled == fields
    assert re.findall(r"<button type=\"(\w+)\"", form) == ["reset"]
    for company in COMPANIES:
        assert f"<option>{company}</option>" in form
