"""docs/method.md says the truth: every stage, parameter, metric and function it names is there."""

import ast
import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
SPANS = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
STAGES = set(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
COLUMNS = ["the method asks for", "stage", "parameter", "metric", "function"]


def rows() -> list[list[str]]:
    """The cells of every row of a table with the columns above."""
    found, inside = [], False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells == COLUMNS:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(line) <= set("|- "):
            found.append(cells)
    return found


def holds(values: object, path: list[str]) -> bool:
    """Whether a nested record has a key; `*` stands for at least one key of that level."""
    if not path:
        return True
    if not isinstance(values, dict):
        return False
    keys = values if path[0] == "*" else [path[0]]
    return any(key in values and holds(values[key], path[1:]) for key in keys)


def defines(name: str) -> bool:
    """Whether ``finllm.a.b.name`` is a module, or is defined in one: read, not imported.

    A package's ``__init__.py`` may take it from the module where it is defined.
    """
    base = ROOT / name.replace(".", "/")
    if base.with_suffix(".py").is_file() or (base / "__init__.py").is_file():
        return True
    module = base.parent.with_suffix(".py")
    if not module.is_file():
        module = base.parent / "__init__.py"
    if not module.is_file():
        return False
    nodes = ast.parse(module.read_text(encoding="utf-8")).body
    taken = [
        f"{node.module}.{base.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and module.name == "__init__.py"
        if base.name in [alias.name for alias in node.names]
    ]
    return any(map(defines, taken)) or any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == base.name
        for node in nodes
    )


def named(pattern: str) -> list[str]:
    """The code spans of the page that a pattern describes whole."""
    found = [span for span in SPANS if re.fullmatch(pattern, span)]
    assert found, "the page names none: the pattern or the page is wrong"
    return found


@pytest.mark.parametrize("span", named(r"\w+\.json:.+"))
def test_every_metric_is_in_the_committed_metrics(span):
    file, key = span.split(":")
    kind = "costs" if key.startswith("cost.") else "details"
    metrics = json.loads((ROOT / "metrics" / kind / file).read_text(encoding="utf-8"))
    assert holds(metrics, key.split("."))


@pytest.mark.parametrize("span", named(r"finllm\.[\w.]+"))
def test_every_function_is_defined(span):
    assert defines(span)


@pytest.mark.parametrize("span", named(rf"({'|'.join(PARAMS)})\.\w+(\.\w+)?(: .+)?"))
def test_every_parameter_is_in_params_yaml(span):
    assert holds(PARAMS, span.split(":")[0].split("."))


@pytest.mark.parametrize("span", named(r"(benchmarks|docs|presets|data|tests)/\S+"))
def test_every_file_exists(span):
    assert (ROOT / span).exists()


def test_every_override_names_a_parameter():
    for key in re.findall(r"-S ([\w.]+)=", PAGE):
        assert holds(PARAMS, key.split(".")), key


def test_every_row_has_a_stage_a_metric_and_a_function_unless_it_is_not_carried():
    assert len(rows()) > 80
    for feature, stages, parameter, metric, function in rows():
        assert function, feature
        if stages != "none":
            assert parameter and "`" in metric, feature
            names = {name.strip() for name in stages.split(",")}
            assert all(name in STAGES or name.startswith("`finllm ") for name in names), feature


def test_every_stage_carries_something_but_the_check_the_generator_of_calls_and_the_copies():
    carried = {name.strip() for row in rows() for name in row[1].split(",")}
    assert carried & STAGES == STAGES - {"check", "sample", "publish"}


def test_the_search_sees_what_is_missing():
    assert not holds({"a": {"b": 1}}, ["a", "c"])
    assert not holds({"a": {"b": 1}}, ["a", "b", "c"])
    assert holds({"a": {"x": {"c": 1}, "y": {}}}, ["a", "*", "c"])
    assert not defines("finllm.stats.verdict.decided") and defines("finllm.stats.verdict.decide")
