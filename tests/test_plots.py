"""``dvc plots show`` draws the forest plot and the posterior, as this repository says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm.report.forest import ForestRow, forest_csv

ROOT = Path(__file__).parent.parent
WANTED = ("plots/forest.csv", "plots/posterior.csv")


def definitions():
    """The plots of dvc.yaml that draw one of the wanted files, by title."""
    document = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    plots = [item for entry in document["plots"] for item in entry.items()]
    return {title: plot for title, plot in plots if set(plot["y"]) & set(WANTED)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The Vega specification of each plot, by title."""
    folder = tmp_path_factory.mktemp("plots")
    (folder / "plots").mkdir()
    numbers = {"base_mean": 0.3, "tuned_mean": 0.4, "p_corrected": 0.01, "p_better": 0.99}
    numbers |= {"cohens_d": 0.5, "is_significant": True}
    rows = [
        ForestRow("number_accuracy", True, difference=0.1, low=0.02, high=0.18, **numbers),
        ForestRow("bleu", False, difference=-0.1, low=None, high=None, **numbers),
    ]
    (folder / WANTED[0]).write_text(forest_csv(rows), encoding="utf-8")
    (folder / WANTED[1]).write_text("difference,density\n0.1,2\n0.2,3\n", encoding="utf-8")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], cwd=folder, check=True)
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    document = {"plots": [{title: plot} for title, plot in definitions().items()]}
    with open(folder / "dvc.yaml", "w", encoding="utf-8") as file:
        YAML().dump(document, file)
    command = [*dvc, "plots", "show", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_forest_plot_and_the_posterior_are_plots_of_the_pipeline():
    files = {file for plot in definitions().values() for file in plot["y"]}
    assert files == set(WANTED)


def test_dvc_draws_both_without_an_error(drawn):
    assert not drawn.get("errors")
    assert {title.split("::")[-1] for title in drawn["data"]} >= set(definitions())


def test_the_forest_plot_has_a_whisker_from_low_to_high_and_every_row(drawn):
    title = next(t for t, plot in definitions().items() if WANTED[0] in plot["y"])
    plot = next(value for key, value in drawn["data"].items() if key.endswith(title))[0]
    spec = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
    whisker = spec["layer"][1]["encoding"]
    assert (whisker["x"]["field"], whisker["x2"]["field"]) == ("low", "high")
    assert spec["layer"][2]["encoding"]["x"]["field"] == "difference"
    rows = spec["data"]["values"]
    assert [row["metric"] for row in rows] == ["number_accuracy", "bleu"]
    assert rows[0]["low"] == "0.02" and rows[1]["low"] == ""
