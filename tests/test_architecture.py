"""docs/architecture.md lists every import between the packages of finllm, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def listed() -> dict[str, set[str]]:
    """The table of imports, by package or module."""
    table = PAGE.split("| package or module | imports |")[1].split("\n\n")[0]
    cells = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    return {name.strip(" `"): set(re.findall(r"`(\w+)`", found)) for name, found in cells}


def imported(text: str) -> set[str]:
    """The packages and modules directly below ``finllm`` that a source file imports."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "finllm":
            names += [f"finllm.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return {name.split(".")[1] for name in names if name.startswith("finllm.")}


def test_every_import_between_packages_is_in_the_table_and_none_besides():
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "finllm").rglob("*.py")):
        name = path.relative_to(ROOT / "finllm").parts[0].removesuffix(".py")
        found.setdefault(name, set()).update(imported(path.read_text(encoding="utf-8")) - {name})
    assert listed() == {name: names for name, names in found.items() if names}


def test_no_package_imports_one_that_imports_it():
    rows = listed()

    def below(name: str) -> set[str]:
        found, todo = set(), [name]
        while todo:
            new = rows.get(todo.pop(), set()) - found
            found |= new
            todo += new
        return found

    assert not [name for name in rows if name in below(name)]


def test_an_import_of_a_module_of_a_package_and_of_a_package_are_both_seen():
    text = "import finllm.corpus.cues\nfrom finllm import screen\nfrom finllm.stats import power\n"
    assert imported(text + "from json import dumps\n") == {"corpus", "screen", "stats"}


def test_the_library_does_not_import_the_stages():
    for path in sorted((ROOT / "finllm").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (stages|benchmarks|tests)\b", text, re.M), path
