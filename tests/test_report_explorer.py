"""The explorer of examples: what the script sorts by, and a browser that clicks through it."""

import html
import re

import pytest
from test_report import PRIMARY, browse, make_evidence, render

from finllm.records import METRICS, Score
from finllm.report.explorer import explorer, script, script_source

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
    assert found.metrics[0] == (PRIMARY, "Number accuracy") and len(found.metrics) == len(METRICS)
    assert found.templates == ["questions"] and list(found.base) == ["e1"]
    base, tuned = found.base["e1"].split(), found.tuned["e1"].split()
    assert (base[0], tuned[0]) == ("-", "0.333333")
    assert base[[name for name, _ in found.metrics].index("bleu")] == "-"
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
    assert text.count('<div class="example" data-template=') == 16 and "Secret" not in text


def driven(page, steps):
    """The page in a frame, and a script that sets its fields and notes what is first and shown."""
    return f"""<!doctype html><body><iframe style="width:900px;height:900px"
srcdoc="{html.escape(page)}"></iframe><script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const form = page.getElementById("explorer-form");
  const note = () => {{
    const cards = [...page.querySelectorAll("#explorer-list > *")].filter((c) => !c.hidden);
    const first = cards[0].querySelector(".gain").textContent;
    return [first, cards[0].dataset.template, cards.length].join(" ");
  }};
  const seen = [form.hidden, note()];
  for (const [field, value] of {steps}) {{
    if (field === "more") page.getElementById("explorer-more").click();
    else {{
      form.elements[field].value = value;
      form.elements[field].dispatchEvent(new Event("change"));
    }}
    seen.push(note());
  }}
  document.body.dataset.seen = seen.join("|");
}}</script></body>"""


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
    steps += [["template", ""], ["more", ""]]
    path = tmp_path / "frame.html"
    path.write_text(driven(page, steps), encoding="utf-8")
    dom, console = browse(path, tmp_path / "profile")
    seen = html.unescape(re.search(r'data-seen="([^"]*)"', dom)[1]).split("|")
    assert console == []
    minus = "\N{MINUS SIGN}"
    assert seen == [
        "false",
        f"{minus}0.300 summarization 12",
        "+0.450 understanding 12",
        "+0.300 summarization 12",
        "+0.300 summarization 8",
        "+0.300 summarization 12",
        "+0.300 summarization 16",
    ]
