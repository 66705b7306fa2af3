"""README and CONTRIBUTING are true: commands shown to work, parameters, files and links that exist.

docs/commands.md registers what shows each command; nothing is in one and not in the other.
"""

import ast
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm import cli
from finllm.corpus.sources import read_source
from finllm.records import Reject
from finllm.settings.params import check_params
from finllm.settings.presets import preset_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SHOWN = f"{README}\n{CONTRIBUTING}"  # the pages whose every command is registered
REGISTER = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "presets" / "README.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
    *sorted((ROOT / "data").glob("*/README.md")),
]
PROGRAMS = "make|pytest|dvc|python|finllm|source|git|pip|ln|mkdir|cp|benchmarks/[a-z_]+\\.sh"
TEST_ID = re.compile(r"`(tests/\w+\.py)::(\w+)`")
BY_HAND = re.compile(r"by hand, 20\d\d-\d\d-\d\d: \S")


def fences(text: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for said, block in blocks if said == language]


def spans(text: str) -> list[str]:
    """The code spans of a page outside its blocks, each on one line."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", outside)]


def commands(text: str) -> list[str]:
    """Every shell command of a page, in order and once, without its comment."""
    lines = "".join(fences(text, "sh")).replace("\\\n", " ").splitlines()
    found = [re.sub(r"(^|\s)#.*", "", line) for line in lines]
    found += [span for span in spans(text) if re.match(rf"({PROGRAMS})\s", span)]
    parts = [" ".join(part.split()) for line in found for part in line.split(" && ")]
    return list(dict.fromkeys(part for part in parts if part))


def register() -> dict[str, str]:
    """What shows each command, from the tables of docs/commands.md."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", REGISTER, re.M)
    assert len(rows) == len(dict(rows)), "a command stands twice"
    return {command.replace("\\|", "|"): shown for command, shown in rows}  # a cell's own bar


def calls(text: str) -> list[list[str]]:
    """The arguments of every ``python -m finllm`` of a page."""
    heads = (command.split("python -m finllm ")[1:] for command in commands(text))
    return [shlex.split(head[0]) for head in heads if head]


def test_the_search_for_commands_sees_blocks_spans_chains_and_comments():
    page = "a `dvc\nrepro` b `dvc.yaml`\n```sh\nmake x   # why\na && \\\n  b c\n```\n```\nno\n```"
    assert commands(page) == ["make x", "a", "b c", "dvc repro"]
    assert len(commands(README)) > 40


@pytest.mark.parametrize("command", commands(SHOWN))
def test_every_command_is_registered(command):
    assert command in register()


@pytest.mark.parametrize("command", register())
def test_every_registered_command_is_on_a_page_and_shown_to_work(command):
    assert command in commands(SHOWN), "a stale row"
    shown = register()[command]
    ids = TEST_ID.findall(shown)
    assert ids or BY_HAND.search(shown), f"neither a test nor a dated run by hand: {shown}"
    for file, name in ids:
        assert (ROOT / file).is_file(), file
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{file} has no {name}"


GUIDES = [page for page in PAGES if page.name != "experiments.md"]  # the log tells of the past
CALLS = [words for page in GUIDES for words in calls(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_every_call_of_finllm_parses(words):
    cli.parser().parse_args(words)
    if words[0] == "preset" or "--preset" in words:
        name = words[words.index("--preset") + 1 if "--preset" in words else 1]
        assert name in ["NAME", *preset_names(ROOT / "presets")]


def options() -> list[tuple[str, str]]:
    """The commands of finllm in the README's tables, with the options named behind each."""
    found = []
    for line in README.splitlines():
        for name, rest in re.findall(r"`python -m finllm ([\w-]+)[^`]*` \(([^)]*)\)", line):
            found += [(name, option) for option in re.findall(r"--[a-z-]+", rest)]
    assert len(found) >= 4
    return found


@pytest.mark.parametrize(("name", "option"), options())
def test_every_further_option_of_a_command_is_one_of_its_own(name, option):
    choices = next(a.choices for a in cli.parser()._actions if a.dest == "command")
    assert option in choices[name]._option_string_actions


def overrides() -> list[dict[str, str]]:
    """The ``-S key=value`` of each command of the README and docs/, once per value of a sweep."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    found = []
    for command in re.findall(r"(?:-S (?:'[\w.]+=[^']*'|[\w.]+=[^\s`)']*)\s*)+", text):
        values = {}
        for whole, bare in re.findall(r"-S (?:'([^']*)'|([^\s`)']*))", command):
            key, value = (whole or bare).split("=", 1)
            swept = value if value.startswith("[") else re.sub(r"range\((\d+),.*", r"\1", value)
            values[key] = [swept] if swept.startswith("[") else swept.split(",")
        first = {key: swept[0] for key, swept in values.items()}
        found += [{**first, key: one} for key, swept in values.items() for one in swept]
    return [dict(one) for one in dict.fromkeys(tuple(sorted(one.items())) for one in found)]


@pytest.mark.parametrize("values", overrides(), ids=str)
def test_every_override_is_a_parameter_with_an_allowed_value(values, tmp_path):
    yaml = YAML()
    document = yaml.load(ROOT / "params.yaml")
    for key, value in values.items():
        *path, last = key.split(".")
        section = document
        for name in path:
            section = section[name]
        assert last in section, key
        section[last] = YAML(typ="safe").load(value)
    if values.get("train.method") == "full":
        document["model"]["quantization"] = "none"
    if any(key.startswith("split.fold") for key in values):
        document["split"]["n_folds"] = 5
    with open(tmp_path / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(document, file)
    check_params((tmp_path / "params.yaml").read_text(encoding="utf-8"), "the README")


def test_every_make_target_is_in_the_makefile():
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = [command.split()[1] for command in commands(SHOWN) if command.startswith("make ")]
    assert named and set(named) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file) if file else page
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_exists(page):
    for span in spans(page.read_text(encoding="utf-8")):
        for module in re.findall(r"python -m benchmarks\.(\w+)", span):
            assert (ROOT / "benchmarks" / f"{module}.py").is_file(), span
        if re.fullmatch(r"(\.github|finllm|stages|presets|benchmarks|docs|tests)/[\w./-]+", span):
            assert (ROOT / span).exists(), span


def test_every_line_of_the_annotated_tree_exists():
    tree = next(block for block in fences(ARCHITECTURE, "") if block.startswith("dvc.yaml"))
    inside, named = Path(), []
    for line in tree.splitlines():
        names = re.match(r"( {0,2})((?:[\w.]+/?(?:, )?)+)", line)
        if not names:  # a heading within the tree, or an empty line
            continue
        if names[1] == "":
            inside = Path()
        named += [inside / name for name in names[2].split(", ")]
        if line == "finllm/":
            inside = Path("finllm")
    assert len(named) > 20
    for path in named:
        if path.name in ("data", "models"):  # what stages write is not in a fresh clone
            continue
        assert (ROOT / path).exists(), path
    for path in sorted((ROOT / "finllm").iterdir()):
        if not path.name.startswith("__") and (
            path.suffix == ".py" or (path / "__init__.py").exists()
        ):
            assert path.relative_to(ROOT) in named, f"{path.name} is not in the tree"


def test_the_picture_of_the_report_is_small():
    picture = ROOT / "docs" / "images" / "report.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 150_000


def test_the_source_of_the_readme_is_read_as_it_says(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "source.yaml").write_text(fences(README, "yaml")[0], encoding="utf-8")
    call = {
        "call_id": "c1",
        "transcript": "Revenue grew 12%.",
        "ticker": "ACME",
        "quarter": "2021Q3",
        "highlights": "Revenue up 12%",
    }
    bad = {"call_id": "c2"}
    lines = "".join(json.dumps(row) + "\n" for row in (call, bad))
    (folder / "calls.jsonl").write_text(lines, encoding="utf-8")
    read, refused = list(read_source(folder))
    assert (read.id, read.company, read.period) == ("c1", "ACME", "2021Q3")
    assert read.text == "Revenue grew 12%." and read.summary == "Revenue up 12%"
    assert isinstance(refused, Reject) and refused.line == 2


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def clone(tmp_path):
    """A repository with this one's .gitignore and sources' descriptions, and DVC."""
    folder = tmp_path / "clone"
    files = (".gitignore", ".dvc/.gitignore", ".dvc/config", "data/raw/ectsum/source.yaml")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    run("git init -q", folder)
    return folder


def test_the_import_of_the_readme_fetches_a_folder_that_git_then_tracks(clone, tmp_path):
    source = tmp_path / "source"
    (source / "data/final/train/ects").mkdir(parents=True)
    (source / "data/final/train/ects/ACME_q1_2021.txt").write_text("Welcome.", encoding="utf-8")
    run("git init -q", source)
    run("git add data", source)
    run("git -c user.name=a -c user.email=a@b commit -qm calls", source)
    command = next(c for c in commands(README) if c.startswith("dvc import"))
    there = re.sub(r"--rev \w+", "--rev HEAD", command)
    run(re.sub(r"https://\S+", str(source), there), clone)
    assert (clone / "data/raw/ectsum/calls/train/ects/ACME_q1_2021.txt").is_file()
    assert "?? data/raw/ectsum/calls.dvc" in run("git status --short -uall", clone)


def test_a_source_of_ones_own_goes_under_dvc(clone):
    (clone / "data/raw/mine").mkdir()
    (clone / "data/raw/mine/source.yaml").write_text("format: text\n", encoding="utf-8")
    run(next(c for c in commands(README) if c.startswith("dvc add")), clone)
    status = run("git status --short -uall", clone)
    assert "?? data/raw/mine.dvc" in status and "data/raw/mine/" not in status
