import ast
import dataclasses
import re
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.settings.params import Params, Weights, load_params

ROOT = Path(__file__).parent.parent
SHIPPED = (ROOT / "params.yaml").read_text(encoding="utf-8")


def load_with(folder: Path, section: str, key: str, value: str) -> Params:
    """The shipped file with one value written otherwise."""
    head, body = SHIPPED.split(f"\n{section}:", 1)
    body, found = re.subn(rf"(?m)^(  +){key}:.*$", rf"\g<1>{key}: {value}", body, count=1)
    assert found, f"{section}.{key} is not in params.yaml"
    return load_text(folder, f"{head}\n{section}:{body}")


def load_text(folder: Path, text: str) -> Params:
    file = folder / "params.yaml"
    file.write_text(text, encoding="utf-8")
    return load_params(file)


def test_the_shipped_file_loads_and_its_numbers_are_numbers():
    params = load_params(ROOT / "params.yaml")
    assert params.train.learning_rate == 1e-3
    assert sum(dataclasses.astuple(params.templatize.weights)) == pytest.approx(1)


@pytest.mark.parametrize("written", ["5e-05", "2e-4", "0.0002", "1E-3"])
def test_a_number_in_any_notation_is_read_as_a_number(tmp_path, written):
    assert load_with(tmp_path, "train", "learning_rate", written).train.learning_rate == float(
        written
    )


def test_a_whole_number_is_welcome_where_a_fraction_is_meant(tmp_path):
    epochs = load_with(tmp_path, "train", "epochs", "2").train.epochs
    assert epochs == 2.0 and type(epochs) is float


def test_a_misspelt_key_is_named_and_the_right_one_suggested(tmp_path):
    text = SHIPPED.replace("  learning_rate:", "  learning_rat:")
    with pytest.raises(ValueError) as error:
        load_text(tmp_path, text)
    message = str(error.value)
    assert "params.yaml" in message and "train.learning_rat;" in message
    assert "did you mean train.learning_rate?" in message


def test_a_misspelt_section_is_named_and_the_right_one_suggested(tmp_path):
    with pytest.raises(ValueError, match=r"unknown key loraa; did you mean lora\?"):
        load_text(tmp_path, SHIPPED.replace("\nlora:", "\nloraa:"))


def test_a_missing_key_is_named(tmp_path):
    text = re.sub(r"(?m)^  alpha: 32.*\n", "", SHIPPED)
    with pytest.raises(ValueError, match="missing key lora.alpha"):
        load_text(tmp_path, text)


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="params.yaml: not valid YAML"):
        load_text(tmp_path, SHIPPED + "\nlora: {}\n")


@pytest.mark.parametrize("text", ["", "- a list\n", "lora: 8\n"])
def test_a_file_that_is_not_a_mapping_is_an_error_in_words(tmp_path, text):
    with pytest.raises(ValueError, match="params.yaml: "):
        load_text(tmp_path, text)


def test_a_missing_file_is_an_error_in_words(tmp_path):
    with pytest.raises(ValueError, match="nowhere.yaml: no such file"):
        load_params(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("name", ["summaries", "questions"])
def test_a_template_to_train_on_must_have_a_weight(tmp_path, name):
    text = SHIPPED.replace("train_templates: []", f"train_templates: [completion, {name}]")
    text = text.replace("summarization: 0.2", "summarization: 0.3").replace(
        "questions: 0.1", "questions: 0.0"
    )
    message = f"split.train_templates has '{name}'; the templates with a weight are understanding"
    with pytest.raises(ValueError, match=f"{message}, completion, summarization"):
        load_text(tmp_path, text)


@pytest.mark.parametrize(
    ("section", "key", "value", "wanted"),
    [
        ("lora", "r", '"8"', "a whole number"),
        ("lora", "r", "8.5", "a whole number"),
        ("lora", "r", "true", "a whole number"),
        ("lora", "r", "null", "a whole number"),
        ("lora", "alpha", "true", "a number"),
        ("train", "learning_rate", "'1e-3'", "a number"),
        ("clean", "infer_turns", "1", "true or false"),
        ("model", "name", "7", "text"),
        ("split", "transfer_sectors", "Energy", "a list of strings"),
        ("split", "transfer_sectors", "[1]", "a list of strings"),
        ("lora", "r", "0", "at least 1 and at most 1024"),
        ("lora", "alpha", "0", "above 0"),
        ("lora", "dropout", "1.5", "at least 0 and at most 0.9"),
        ("train", "learning_rate", ".nan", "above 0 and at most 1"),
        ("train", "max_grad_norm", ".inf", "above 0"),
        ("split", "val_share", "0", "above 0"),
        ("verdict", "primary_metric", "rouge9", "rouge1"),
        ("model", "quantization", "nf5", "nf4, fp4, int8, none"),
        ("train", "schedule", "cosin", "cosine"),
    ],
)
def test_a_wrong_value_is_named_with_its_file_key_and_what_is_allowed(
    tmp_path, section, key, value, wanted
):
    with pytest.raises(ValueError) as error:
        load_with(tmp_path, section, key, value)
    message = str(error.value)
    assert "params.yaml" in message and f"{section}.{key}" in message and wanted in message
    shown = {"null": "empty", ".nan": "nan", ".inf": "inf"}.get(value, value)
    assert shown.strip("'\"") in message


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("filter", "min_words", "30000", "filter.min_words is 30000 and filter.max_words is 20000"),
        ("split", "test_share", "0.9", "split.val_share is 0.1 and split.test_share is 0.9"),
        ("templatize", "max_answer_tokens", "200", "templatize.max_answer_tokens is 200"),
        ("templatize", "questions", "0.2", r"templatize.weights add up to 1.1"),
    ],
)
def test_values_that_contradict_each_other_are_an_error(tmp_path, section, key, value, message):
    with pytest.raises(ValueError, match=message):
        load_with(tmp_path, section, key, value)


@given(st.tuples(*[st.floats(0, 1)] * len(dataclasses.fields(Weights))))
def test_weights_are_accepted_exactly_when_they_add_up_to_one(parts):
    if abs(sum(parts) - 1) > 1e-9:
        with pytest.raises(ValueError, match="must add up to 1"):
            Weights(*parts)
    else:
        assert dataclasses.astuple(Weights(*parts)) == parts


def test_no_record_has_a_default_so_that_the_file_tells_the_whole_truth():
    for section in dataclasses.fields(Params):
        kind = typing.get_type_hints(Params)[section.name]
        for field in dataclasses.fields(kind):
            assert field.default is dataclasses.MISSING, f"{section.name}.{field.name}"


def declared() -> set[tuple[str, str]]:
    """Every (section, key) of the records, nested ones by their own name."""
    found = set()
    kinds = list(typing.get_type_hints(Params).items())
    while kinds:
        section, kind = kinds.pop()
        for name, hint in typing.get_type_hints(kind).items():
            if dataclasses.is_dataclass(hint):
                kinds.append((name, hint))
            else:
                found.add((section, name))
    return found


def used_in(tree: ast.AST, sections: set[str]) -> set[tuple[str, str]]:
    """The (section, key) pairs a module reads, ``*`` where it hands a whole section on."""
    aliases: dict[str, str] = {}

    def section_of(node: ast.AST) -> str | None:
        if isinstance(node, ast.Attribute) and node.attr in sections:
            return node.attr
        return aliases.get(node.id) if isinstance(node, ast.Name) else None

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets = node.targets[0]
            pairs = (
                zip(targets.elts, node.value.elts, strict=True)
                if isinstance(targets, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(targets, node.value)]
            )
            for target, value in pairs:
                if isinstance(target, ast.Name) and (section := section_of(value)):
                    aliases[target.id] = section
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name):
            if (section := node.annotation.id.lower()) in sections:  # model: Model
                aliases[node.arg] = section
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (section := section_of(node.value)):
            found.add((section, node.attr))
        if isinstance(node, ast.Call) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            name = node.func.attr if isinstance(node.func, ast.Attribute) else name
            if name in ("vars", "asdict") and (section := section_of(node.args[0])):
                found.add((section, "*"))
    return found


def test_every_parameter_is_used_by_a_stage_or_in_the_pipelines_file():
    wanted = declared()
    sections = {section for section, _ in wanted}
    used = {
        tuple(name.split("."))
        for name in re.findall(r"\$\{(\w+\.\w+)\}", (ROOT / "dvc.yaml").read_text())
    }
    library = ("corpus/cleaning.py", "instruct/drafting.py", "instruct/partition.py")
    library += ("model/weights.py", "preference/run.py", "training/run.py")
    library += ("answering/predicting.py", "planning/plan_request.py")
    for file in [
        *ROOT.glob("stages/*.py"),
        *ROOT.glob("finllm/*.py"),
        *ROOT.glob("finllm/commands/*.py"),
        *(ROOT / "finllm" / name for name in library),
    ]:
        if file.name != "params.py":
            used |= used_in(ast.parse(file.read_text(encoding="utf-8")), sections)
    whole = {section for section, key in used if key == "*"}
    ignored = {(s, k) for s, k in wanted - used if s not in whole}
    assert not ignored, f"declared in params.yaml, but no code reads them: {sorted(ignored)}"


def test_the_search_for_unused_parameters_sees_aliases_and_misses_what_is_not_read():
    code = "m, p = params.model, params.train\nf(m.name, p.seed)\ng(**vars(params.lora))"
    assert used_in(ast.parse(code), {"model", "train", "lora"}) == {
        ("model", "name"),
        ("train", "seed"),
        ("lora", "*"),
    }
    code = "def folder(m: Model, size: int) -> str:\n    return m.name + str(size.real)"
    assert used_in(ast.parse(code), {"model", "train"}) == {("model", "name")}


@pytest.mark.parametrize("written", ["sample", '""', "..", "../elsewhere"])
def test_a_transfer_source_is_another_folder_or_none(tmp_path, written):
    with pytest.raises(ValueError, match="data.transfer_source is"):
        load_with(tmp_path, "data", "transfer_source", written)
    assert load_with(tmp_path, "data", "transfer_source", "mine").data.transfer_source == "mine"
