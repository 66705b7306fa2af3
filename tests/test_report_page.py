"""The page as a reader meets it: outline, summary, what is folded, its height, small runs."""

import dataclasses
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_report import (
    CASES,
    GROUP,
    PRIMARY,
    RATED,
    Balance,
    browse,
    decided,
    make_evidence,
    render,
)

from finllm.records import METRICS
from finllm.report.contents import TITLES
from finllm.report.evidence import Evidence
from finllm.report.foot import foot
from finllm.report.plain_words import MEANINGS, odds, plain_words
from finllm.report.tables import BASELINES
from finllm.report.verdict_text import COPIES
from finllm.settings.params import load_params

ROOT = Path(__file__).parent.parent
NAMES = ("Acme Rail", "Breskara Foods Group", "Calder", "Dunmore Bank", "Elbing", "Fenwick")
NAMES += ("Galtee", "Harrow Telecommunications", "Inver", "Jessop & Sons", "Kilbride", "Lomond")
GAIN = {"estimate": 0.1, "low": 0.05, "high": 0.15}
COST = {"seconds": 48.2, "new_tokens_per_second": 150.7, "prompt_tokens_per_second": 900.1}
COST |= {"reading": {"tokens_per_second": 850.0}, "generation": {"tokens_per_second": 227.0}}
COST |= {"latency": {"alone": {"median_seconds": 1.5, "p95_seconds": 1.75}}}


def parameters():
    """The sections of params.yaml that the stage shows."""
    params = vars(load_params(ROOT / "params.yaml"))
    names = ("data", "model", "lora", "train", "verdict")
    return {name: dataclasses.asdict(params[name]) for name in names}


def whole_run():
    """A run of twelve companies and 96 examples for which every table has something to say."""
    one = make_evidence(transfer=True)
    rows = {name: [] for name in ("examples", "base", "tuned", "scores")}
    for k in range(6):
        for record in one.examples:
            company = NAMES[(int(record.id[1:3]) + 2 * k) % 12]
            text = f"{record.excerpt} {'We served every customer in every region. ' * 40}"
            change = {"id": f"{k}{record.id}", "company": company, "excerpt": text}
            rows["examples"].append(dataclasses.replace(record, **change))
        for name in ("base", "tuned"):
            for record in getattr(one, name):
                change = {
                    "example_id": f"{k}{record.example_id}",
                    "text": f"{record.text} 12%, $7.",
                }
                rows[name].append(dataclasses.replace(record, **change))
        for record in one.scores:
            company = NAMES[(int(record.example_id[1:3]) + 2 * k) % 12]
            change = {"example_id": f"{k}{record.example_id}", "company": company}
            rows["scores"].append(dataclasses.replace(record, **change))
    m = one.metrics
    m["ratings"] = RATED
    m["significance"]["subgroups"] = {
        "sector": {f"sector {i}": GROUP for i in range(6)},
        "quarter": {f"2019Q{i}": GROUP for i in range(1, 5)},
    }
    change = {"original": 0.47, "changed": 0.41, **GAIN, "n_companies": 12, "n_examples": 32}
    m["evaluate"] |= {
        "robustness": [
            {"set": name, "metric": metric, "model": model, **change}
            for name in ("reworded", "noise")
            for metric in METRICS
            for model in ("base", "tuned")
        ],
        "parts_of_gain": [
            {"part": part, "metric": metric, **change}
            for part in ("tuning", "decoding", "both")
            for metric in METRICS
        ],
        "cross_domain": [
            {"metric": metric, "test": GAIN, "transfer": GAIN, "change": GAIN}
            | {"n_test_companies": 12, "n_transfer_companies": 5}
            for metric in METRICS
        ],
        "rank_stability": [{"metric": x, "tau": 0.9, "same_order": 0.8} for x in METRICS],
        "correlations": [],
        "memorisation": {"base": {"n_figures": 50, "n_not_in_source": 20, "n_of_template": 6}},
        "number_recall_ceiling": {"summarization": {"n_figures": 9, "recall_ceiling": 0.6}},
        "reference_perplexity": {
            model: {"nats_per_token": 3.0, "perplexity": 20.1, "n_tokens": 1234}
            for model in ("base", "tuned")
        },
    }
    m["evaluate"]["memorisation"]["base"] |= {"chance": 2.25, "n_of_company": None}
    m["evaluate"]["test"] |= {x: dict.fromkeys(METRICS, 0.55) for x in ("fewshot", *BASELINES)}
    m["train"] |= {"forgetting": {"ratio": 0.9}, "convergence": {"share_in_first_fifth": 0.4}}
    asked = {"answers": 96, "empty": 1, "mean_new_tokens": 40.0, "hit_limit_share": 0.9}
    for model in ("base", "fewshot", "tuned"):
        m[f"predict_{model}"] = {**asked, "cost": COST}
    m["filter"] |= {
        "lengths": {f"q{i:02d}_words": 1000.0 for i in (0, 5, 25, 50, 75, 95)},
        "vocabulary": {"n_distinct_words": 3133, "share_of_reference_seen": 0.487},
        "near_duplicate_groups": 1,
        "temporal": {"share_with_period": 1.0, "n_repeated_periods": 2},
    }
    m["bayes_stats"]["metrics"][PRIMARY] |= {"log_bf10_medium": 2.5, "ppc_p_skewness": 0.5}
    curve = [(float(i), 3.0 - i / 50) for i in range(1, 69)]
    curves = {"train_loss": curve, "val_loss": curve[::17], "gradient_norm": curve}
    layers = [{"layer": float(i), "first": 0.3, "median": 0.1, "last": 0.1} for i in range(30)]
    changed = {**rows, "curves": curves, "gradient_by_layer": layers}
    return Evidence(**{**vars(one), **changed})


def small_run():
    """Four companies, no interval, no transfer set, no plots, no figures of the corpus."""
    evidence = make_evidence("inconclusive")
    m = evidence.metrics
    for test in m["significance"]["metrics"].values():
        for key in ("low", "high", "p_corrected", "p_value", "cohens_d", "cohens_d_z"):
            test.pop(key, None)
        test["n_clusters"] = 4
    for name in METRICS:
        m["bayes_stats"]["metrics"][name] = {"usable": False}
    bare = {"posterior": [], "corpus": {}, "gradient_by_layer": [], "curves": {}}
    bare["curves"] = dict.fromkeys(evidence.curves, ())
    return Evidence(**{**vars(evidence), **bare})


@pytest.fixture(scope="module")
def whole():
    return render(whole_run(), parameters=parameters(), n_examples=100)


def words(text):
    """What a reader sees of some HTML."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


# --- the outline


def test_the_outline_has_every_section_in_order_and_its_links_lead_there(whole):
    lists = re.findall(r"<nav [^>]*>(.*?)</nav>", whole, re.DOTALL)
    assert len(lists) == 2, "one beside the page, one that folds for a small screen"
    for one in lists:
        links = re.findall(r'<a href="#([a-z]+)">([^<]*)</a>', one)
        assert {key: html.unescape(title) for key, title in links} == TITLES
        assert [key for key, _ in links] == list(TITLES)
    ids = re.findall(r' id="([^"]+)"', whole)
    assert len(ids) == len(set(ids))
    assert [key for key in ids if key in TITLES] == list(TITLES)
    assert all(target in ids for target in re.findall(r'href="#([^"]+)"', whole))
    headings = re.findall(r'<section id="([a-z]+)">\s*<h2>([^<]*)</h2>', whole)
    assert {key: html.unescape(title) for key, title in headings} == {
        key: title for key, title in TITLES.items() if key != "verdict"
    }
    assert whole.count("<section ") == len(headings)


# --- what is folded


class Folds(HTMLParser):
    """Notes for every table whether it lies in a fold, and whether that stands open."""

    def __init__(self):
        super().__init__()
        self.folds, self.sections, self.tables = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag == "details":
            self.folds.append("open" in dict(attrs))
        elif tag == "section":
            self.sections.append(dict(attrs)["id"])
        elif tag == "table":
            self.tables.append((self.sections[-1], list(self.folds)))

    def handle_endtag(self, tag):
        if tag == "details":
            self.folds.pop()


def test_every_table_folds_and_those_behind_the_comparison_start_folded(whole):
    parser = Folds()
    parser.feed(whole)
    assert len(parser.tables) > 40 and all(folds for _, folds in parser.tables)
    folded = [section for section, folds in parser.tables if not all(folds)]
    assert folded.count("fairness") == 7 and folded.count("run") == 2
    opened = [section for section, folds in parser.tables if all(folds)]
    assert opened == ["models", "models"]
    assert "lora.r" in whole and "train.learning_rate" in whole


MEASURE = """<!doctype html><body>FRAMES<script>onload = () => {
  const frames = [...document.querySelectorAll("iframe")];
  const shown = (page, id) => page.getElementById(id).getBoundingClientRect().height > 0;
  document.body.dataset.seen = JSON.stringify(frames.map((frame) => {
    const page = frame.contentDocument, root = page.documentElement;
    const seen = {height: root.scrollHeight, outlines: [
      shown(page, "contents"), shown(page, "contents-small")]};
    const small = page.querySelector("#contents-small details");
    small.open = true;
    small.querySelector("a").click();
    seen.closes = !small.open;
    const folded = () => page.querySelectorAll("details.table:not(.screen):not([open])").length;
    const before = folded();
    frame.contentWindow.dispatchEvent(new Event("beforeprint"));
    seen.printed = folded();
    frame.contentWindow.dispatchEvent(new Event("afterprint"));
    seen.folded_again = folded() === before && before > 10;
    for (const one of page.querySelectorAll("details")) one.open = true;
    frame.contentWindow.dispatchEvent(new Event("resize"));
    const tables = [...page.querySelectorAll(".scroll")];
    const wide = tables.filter((box) => box.classList.contains("wide"));
    const style = (element) => frame.contentWindow.getComputedStyle(element);
    seen.wide = wide.length;
    seen.told = tables.every((box) =>
      box.classList.contains("wide") === (box.scrollWidth > box.clientWidth + 1));
    seen.sticky = wide.filter((box) => box.querySelector("tbody th")).every((box) =>
      style(box.querySelector("tbody th")).position === "sticky");
    seen.overflow = root.scrollWidth - root.clientWidth;
    return seen;
  }));
};</script></body>"""


def measured(tmp_path, text, widths):
    """What a browser says of the page at some widths."""
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(text)}">'
        "</iframe>"
        for width in widths
    )
    path = tmp_path / "frames.html"
    path.write_text(MEASURE.replace("FRAMES", frames), encoding="utf-8")
    dom, console = browse(path, tmp_path / "profile")
    assert console == []
    return json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))


def test_a_whole_run_is_short_at_both_widths_and_unfolds_without_running_over(whole, tmp_path):
    desk, phone = measured(tmp_path, whole, (1280, 390))
    assert 3000 < desk["height"] < 6200, desk
    assert 3000 < phone["height"] < 11500, phone
    assert desk["outlines"] == [True, False] and phone["outlines"] == [False, True]
    assert phone["closes"], "the contents stay open over the section that was chosen"
    assert phone["wide"] > 5, "no table is wider than a phone: the test is blind"
    for seen in (desk, phone):
        assert seen["printed"] == 0 and seen["folded_again"]
        assert seen["told"] and seen["sticky"] and seen["overflow"] == 0


# --- words and figures


def test_no_decimal_lacks_its_leading_zero(whole):
    assert re.findall(r"(?<![\w.])[.]\d\S*", words(whole)) == []


def test_every_chart_names_its_axes(whole):
    charts = re.findall(r'<div class="chart">.*?</figure>', whole, re.DOTALL)
    assert len(charts) == 8
    assert all('<p class="axis x"' in chart for chart in charts)
    assert whole.count('<p class="axis" ') == len(charts)
    assert "words" in re.findall(r'<p class="axis x"[^>]*>([^<]*)</p>', whole)


def test_the_effect_size_has_its_own_name(whole):
    facts = dict(re.findall(r"<div><dt>([^<]*)</dt><dd>(.*?)</dd></div>", whole.split("</dl>")[0]))
    assert words(facts["Effect size"]) == "+0.800 Cohen’s d, large"
    assert words(facts["Corrected p"]) == "0.001"
    assert '<th scope="col">Cohen’s d</th><th scope="col">Cohen’s d_z</th>' in whole


def test_the_foot_promises_the_same_only_on_the_same_kind_of_processor(whole):
    end = words(whole.split('<section id="run">')[1])
    assert "On the same kind of processor, everything except time and memory" in end
    assert "answers can differ where two tokens are almost equally probable" in end
    shown = whole.split('<section id="run">')[1]
    for part in foot(""):
        assert part.replace("`make repro`", "<code>make repro</code>") in shown


# --- the summary


JARGON = r"\bp\b|\bROPE\b|posterior|Bayes|null|signific|interval|Cohen"


@pytest.mark.parametrize("case", CASES)
def test_the_summary_says_every_verdict_without_a_term_of_statistics(case):
    evidence = make_evidence(case)
    found = decided(evidence)
    said = plain_words(found)
    assert not re.search(JARGON, said)
    assert "16 prompts about earnings calls of 18 companies" in said
    expected = {
        "better": "rose from 0.400 to 0.480. Chance is an unlikely explanation",
        "worse": "fell from 0.400 to 0.320. Chance is an unlikely explanation",
        "equivalent": "the two models count as equally good",
        "inconclusive": "not evidence that the two models are equally good",
    }
    assert expected[case] in said
    assert html.escape(said, quote=False) in render(evidence)


def test_every_metric_and_every_baseline_has_a_meaning():
    assert set(MEANINGS) == set(METRICS) and set(COPIES) == set(BASELINES)
    assert odds(0.05) == "about 1 in 20" and odds(1e-5) == "less than 1 in 10,000"


# --- small runs


@pytest.mark.parametrize("include_text", [True, False])
def test_a_small_run_has_a_whole_page_that_says_what_is_missing(tmp_path, include_text):
    text = render(small_run(), include_text=include_text)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    said = words(text)
    for part in (
        "There is no posterior",
        "The test set has 4 companies.",
        "No human ratings yet",
        "Not measured in this run: how the answers change",
        "The gain in other sectors was not measured",
        "No training curves were recorded for the loss and the gradient norm",
        "No corpus plots were recorded",
        "number accuracy moved by +0.030.",
        "Difference +0.030 no interval",
    ):
        assert part in said, part
    assert "Figures of the calls" not in said
    assert not re.search(r"\b(None|nan)\b", said) and "base, examples shown" not in said
    desk, phone = measured(tmp_path, text, (1280, 390))
    assert desk["overflow"] == phone["overflow"] == 0
    assert desk["height"] < 5500 and phone["height"] < 9500


def test_a_run_without_a_scored_pair_says_so():
    evidence = make_evidence()
    for row in evidence.scores:
        row.values[PRIMARY] = None
    said = words(render(evidence))
    assert "No example has a score of both models." in said
    bare = Evidence(**{**vars(evidence), "scores": []})
    assert "No example was answered by both models." in words(render(bare))
