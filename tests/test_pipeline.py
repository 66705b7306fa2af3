"""dvc.yaml says the truth: what each stage needs, and what a change runs again."""

import ast
import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from writing_pipeline import dvc, environment, write_project

from finllm.report.evidence import STAGES as REPORTED
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def body(name: str) -> dict:
    return STAGES[name].get("do", STAGES[name])


def imports(path: Path) -> set[Path]:
    """The files of this repository that a module imports, directly."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            base = ROOT / name.replace(".", "/")
            if name.split(".")[0] in ("finllm", "stages"):
                found |= {p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()}
    return found


def reachable(path: Path) -> set[Path]:
    seen, todo = set(), [path]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += imports(current)
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_file_that_it_imports(name):
    deps = [ROOT / str(dep) for dep in body(name)["deps"] if "$" not in str(dep)]
    needed = {p for p in reachable(ROOT / "stages" / f"{name}.py") if p.name != "__init__.py"}
    refusing = ("settings", "runtime/screen.py", "runtime/environment.py")  # dvc.yaml says why
    needed -= {
        path
        for path in needed
        if path.relative_to(ROOT).as_posix().startswith(tuple(f"finllm/{one}" for one in refusing))
    }
    missing = [
        path.relative_to(ROOT)
        for path in sorted(needed)
        if not any(dep == path or dep in path.parents for dep in deps)
    ]
    assert not missing


@pytest.mark.parametrize("name", STAGES)
def test_every_dependency_in_code_exists(name):
    for dep in body(name)["deps"]:
        if str(dep).startswith(("finllm", "stages")):
            assert (ROOT / dep).exists(), dep


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_only_the_parameters_that_it_declares(name):
    declared = {str(p).split(".")[0] for p in body(name).get("params", [])}
    tree = ast.parse((ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8"))
    sections = set(load_params(ROOT / "params.yaml").__dataclass_fields__)
    read = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in sections:
            owner = ast.unparse(node.value)
            if owner in ("params", "adapter.params()"):
                read.add(node.attr)
    read -= {"execution"}  # where a stage runs is no part of what it writes
    assert read <= declared
    if name == "check":  # it hands on the whole
        read = sections
        assert declared == sections
    assert read or name == "publish", "a stage without a parameter would never change"


def outs(name: str) -> dict[str, dict]:
    """The plain outputs of a stage, with their options."""
    named = [out if isinstance(out, dict) else {out: {}} for out in body(name)["outs"]]
    return {path: options for out in named for path, options in out.items()}


def test_a_stage_has_dvcs_cache_of_earlier_runs_if_it_takes_time():
    """DVC keeps no run of a stage with an output outside its cache that is no metric or plot."""
    without = {name for name in STAGES if any(map(dict, outs(name).values()))}
    assert without == {"check", "publish"}


def test_all_results_are_published_under_the_same_path():
    results = "data/results/"
    written = {path for name in STAGES for path in outs(name) if path.startswith(results)}
    keys = STAGES["predict"]["foreach"]
    written = {path.replace("${key}", key) for path in written for key in keys}
    published = [dep for dep in body("publish")["deps"] if dep.startswith(results)]
    assert len(published) == 32 and set(published) == written
    _, _, paths = body("publish")["cmd"].partition("--results data/results ")
    assert [results + path for path in paths.split()] == published
    kept = outs("publish")
    assert all(options == {"cache": False} for options in kept.values())
    for path in paths.split():
        assert sum(path == out or path.startswith(f"{out}/") for out in kept) == 1, path


def test_the_report_depends_on_the_details_of_every_stage_that_it_reads():
    details = {f"data/results/metrics/details/{name}.json" for name in REPORTED}
    assert details <= set(body("report")["deps"])


def test_the_torch_free_half_imports_without_torch():
    code = (
        "import sys\n"
        "import finllm.records, finllm.settings.params, finllm.corpus.sources\n"
        "import finllm.corpus.cleaning, finllm.corpus.duplicates\n"
        "import finllm.numbers, finllm.languages.detection, finllm.fiction.synthetic\n"
        "import finllm.stats.comparison, finllm.stats.verdict, finllm.stats.bayes_model\n"
        "import finllm.cli\n"
        "assert 'torch' not in sys.modules and 'pymc' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# What a change runs again, on a copy of the pipeline whose stages only write their outputs.


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The repository's dvc.yaml and code with stages that do nothing but write, run once."""
    return write_project(tmp_path_factory.mktemp("project"))


def changed_stages(root: Path) -> set[str]:
    """The stages that ``dvc repro`` runs, by really running it on the writing stages."""
    out = dvc(root, "repro")
    return {line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage '")}


@pytest.fixture
def params(project):
    """Set one parameter for the test, and put the file back."""
    path = project / "params.yaml"
    before = path.read_text(encoding="utf-8")

    def change(section: str, key: str, value: object) -> None:
        yaml = YAML()
        document = yaml.load(path)
        document[section][key] = value
        with open(path, "w", encoding="utf-8") as file:
            yaml.dump(document, file)

    yield change
    path.write_text(before, encoding="utf-8")
    dvc(project, "repro", "-q")


def test_a_second_repro_runs_nothing(project):
    assert changed_stages(project) == set()


def test_a_new_rank_runs_training_and_what_follows_and_nothing_else(project, params):
    params("lora", "r", 8)
    assert stages_to_run(project) == {
        "train",
        "prefer",
        "predict@tuned",
        "predict@preferred",
        "evaluate",
        "significance",
        "bayes_stats",
        "ratings",
        "report",
        "publish",
    }


def test_more_examples_to_show_ask_the_few_shot_base_again_and_no_other_model(project, params):
    params("predict", "few_shot", 3)
    assert stages_to_run(project) == {
        "predict@fewshot",
        "evaluate",
        "significance",
        "bayes_stats",
        "ratings",
        "report",
        "publish",
    }


def test_a_new_prior_runs_bayes_stats_and_what_follows_and_nothing_else(project, params):
    params("bayes_stats", "prior_scale", 1.0)
    assert stages_to_run(project) == {"bayes_stats", "report", "publish"}


def test_another_engine_runs_no_stage_but_the_check(project, params):
    params("execution", "engine", "ray")
    assert changed_stages(project) <= {"check"}
    assert stages_to_run(project) == set()


def test_another_source_runs_cleaning_and_not_the_sample(project, params):
    (project / "data" / "raw" / "other").mkdir(exist_ok=True)
    (project / "data" / "raw" / "other" / "calls.txt").write_text("x")
    params("data", "source", "other")
    assert changed_stages(project) == {"check", "clean", "report"}


def stages_to_run(root: Path) -> set[str]:
    """The stages that ``dvc status`` calls changed, and all that depend on them, without `check`.

    The writing stages write the same bytes again, so that a run would stop at the first of them.
    `check` runs after every change of a parameter; what it writes is always the same.
    """
    status = json.loads(dvc(root, "status", "--json"))
    changed = {name.removeprefix("dvc.yaml:") for name in status} - {"check"}
    return changed.union(*(downstream(root, name) for name in changed))


def downstream(root: Path, stage: str) -> set[str]:
    """All stages that depend on what this one writes."""
    edges = [line.strip() for line in dvc(root, "dag", "--dot").splitlines() if "->" in line]
    pairs = [[part.strip().strip('";') for part in edge.split("->")] for edge in edges]
    found, todo = set(), [stage]
    while todo:
        current = todo.pop()
        following = {b for a, b in pairs if a == current} - found
        found |= following
        todo += following
    return found


def test_an_experiment_records_the_changed_rank_and_its_metrics(project):
    dvc(project, "exp", "run", "-S", "lora.r=8", "-n", "rank-8", "--temp")
    table = dvc(project, "exp", "show", "--csv")
    assert "rank-8" in table
    rows = list(csv.DictReader(table.splitlines()))
    assert next(row for row in rows if "rank-8" in row.values())["lora.r"] == "8"
    difference = dvc(project, "params", "diff", "HEAD", "rank-8", "--md")
    assert "lora.r" in difference
    assert dvc(project, "metrics", "diff", "HEAD", "rank-8", "--all", "--md").count("|") > 10


def test_a_misspelt_parameter_is_refused_by_the_experiment(project):
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", "-S", "lora.rnak=8"],
        cwd=project,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode != 0
    assert "rnak" in done.stderr
