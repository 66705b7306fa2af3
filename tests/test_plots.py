"""``dvc plots show`` draws a handful of figures, without a network, and a browser shows them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm.report.forest import ForestRow, forest_csv

ROOT = Path(__file__).parent.parent
PLOTS = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
DEFINED = {title: plot for entry in PLOTS for title, plot in entry.items()}
FILES = {file for plot in DEFINED.values() for file in plot["y"]}
DVC = [sys.executable, "-m", "dvc"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The committed series, with a forest that has a metric without an interval, under DVC."""
    folder = tmp_path_factory.mktemp("plots")
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    numbers = {"base_mean": 0.3, "tuned_mean": 0.4, "p_corrected": 0.01, "p_better": 0.99}
    numbers |= {"cohens_d": 0.5, "is_significant": True}
    rows = [
        ForestRow("number_accuracy", True, difference=0.1, low=0.02, high=0.18, **numbers),
        ForestRow("bleu", False, difference=-0.1, low=None, high=None, **numbers),
    ]
    (folder / "plots/forest.csv").write_text(forest_csv(rows), encoding="utf-8")
    subprocess.run([*DVC, "init", "--no-scm", "-q"], cwd=folder, check=True)
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    with open(folder / "dvc.yaml", "w", encoding="utf-8") as file:
        YAML().dump({"plots": PLOTS}, file)
    return folder


def shown(folder, *flags):
    command = [*DVC, "plots", "show", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def drawn(project):
    """The Vega specification of each plot, by title."""
    return json.loads(shown(project, "--json"))


@pytest.fixture(scope="module")
def page(project):
    shown(project, "-o", "out")
    return project / "out" / "index.html"


def test_a_handful_of_figures_each_a_question():
    assert len(DEFINED) == 5 and all(title.endswith("?") for title in DEFINED)
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert not any("plots" in stage for stage in stages.values())  # those would be drawn raw too


def test_every_figure_has_a_committed_series_and_a_template_that_the_page_draws():
    for title, plot in DEFINED.items():
        assert plot["template"] in ("line", "forest"), title
        for file in plot["y"]:
            assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) > 2, file


def test_dvc_draws_the_figures_without_an_error_and_no_other(drawn):
    assert not drawn.get("errors")
    assert {title.split("::")[-1] for title in drawn["data"]} == set(DEFINED)


def test_the_forest_plot_has_a_whisker_from_low_to_high_and_every_row(drawn):
    title = next(t for t, plot in DEFINED.items() if "plots/forest.csv" in plot["y"])
    plot = next(value for key, value in drawn["data"].items() if key.endswith(title))[0]
    spec = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
    assert spec["width"] > 0  # "container" is 0 wide in the pages of DVC
    whisker = spec["layer"][1]["encoding"]
    assert (whisker["x"]["field"], whisker["x2"]["field"]) == ("low", "high")
    assert spec["layer"][2]["encoding"]["x"]["field"] == "difference"
    rows = spec["data"]["values"]
    assert [row["metric"] for row in rows] == ["number_accuracy", "bleu"]
    assert rows[0]["low"] == "0.02" and rows[1]["low"] == ""


def test_the_page_loads_nothing(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=|@import|fetch\(|cdn", text)


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("chromium is not installed, and the CI must look at the page")
    return found or pytest.skip("chromium is not installed")


@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_without_a_network_draws_every_figure(page, tmp_path, width):
    command = [
        *(chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
        *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000", "--dump-dom"),
        *(f"--window-size={width},2000", f"--user-data-dir={tmp_path}", page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    dom = done.stdout
    assert re.findall(r"<h2>(.*?)</h2>", dom) == list(DEFINED)
    assert dom.count('role="img"') == 5 and dom.count("<polyline") >= 6
    assert dom.count("<circle") == 2 and "bleu: -0.100" in dom
    widths = {float(x) for x in re.findall(r'viewBox="0 0 ([\d.]+) [\d.]+" role', dom)}
    assert min(widths) >= 300
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", dom)
    assert "NaN" not in dom.split("<body")[1]
    assert not [x for x in labels if re.fullmatch(r"[\d,.-]*,\d+[\d.]*", x)]
