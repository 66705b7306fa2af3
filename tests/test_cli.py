"""The command line: quick to start, its help teaches, its exit codes and JSON serve scripts."""

import io
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from finllm import cli
from finllm.commands import completion
from finllm.commands.terminal import has_colour, print_json

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "scipy", "numpy", "pandas", "numba", "peft", "datasets")


def parsers():
    (action,) = (action for action in cli.parser()._actions if action.dest == "command")
    return action.choices


COMMANDS = set(parsers())
OURS = sorted(
    name for name in COMMANDS if (ROOT / f"finllm/commands/{name.replace('-', '_')}.py").is_file()
)


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom finllm.cli import main, parser\nparser()\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
    )
    done = run("-c", code)
    assert done.returncode == 0 and done.stderr.strip() == "[]"


def test_the_help_takes_a_small_part_of_half_a_second_of_the_processor():
    """Processor time, which a busy machine does not stretch as it does the clock's."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'finllm', '--help'], stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    seconds = [float(run("-c", code).stdout) for _ in range(3)]
    assert 0 < statistics.median(seconds) < 0.5


def test_the_help_names_every_command_and_teaches_each():
    assert len(cli.COMMANDS) == len(COMMANDS)
    text = cli.parser().format_help()
    assert all(f"    {name}" in text for name in COMMANDS)
    for name in OURS:
        command = parsers()[name]
        text = command.format_help()
        assert command.description and len(command.description) > 60, name
        assert "\nexamples:\n" in text and "\nreads:" in text and "\nwrites:" in text, name
        undescribed = [a.dest for a in command._actions if not a.help and not a.choices]
        assert not undescribed, (name, undescribed)


@pytest.mark.parametrize("name", OURS)
def test_the_examples_of_the_help_are_commands_that_parse(name):
    lines = parsers()[name].epilog.split("examples:\n")[1].split("\nreads:")[0].splitlines()
    assert lines
    for line in lines:
        words = shlex.split(line)
        for end in (">", "|", "&&"):
            words = words[: words.index(end)] if end in words else words
        assert words[:3] == ["python", "-m", "finllm"], line
        assert cli.parser().parse_args(words[3:]).command == name


def test_no_command_prints_the_help_and_fails(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert not printed.out and "COMMAND --help" in printed.err


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("finllm.settings.presets.apply_preset", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main(["preset", "cpu-smollm2"])
    assert end.value.code == 130
    assert capsys.readouterr().err == "finllm preset: interrupted\n"


# --- completion


def completed(line, tmp_path):
    """What bash offers for the last word of a line."""
    script = tmp_path / "finllm.bash"
    script.write_text(completion.script("bash", cli.parser(prog="finllm")), encoding="utf-8")
    words = " ".join(map(shlex.quote, line.split(" ")))
    ask = (
        f"source {shlex.quote(str(script))}\nCOMP_WORDS=({words})\n"
        f"COMP_CWORD={len(line.split(' ')) - 1}\n_shtab_finllm\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", ask], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    return set(done.stdout.split())


def test_bash_completes_commands_options_and_choices(tmp_path):
    assert completed("finllm ", tmp_path) >= COMMANDS
    assert completed("finllm pre", tmp_path) == {"predict", "preset"}
    assert {"--json", "--preset"} <= completed("finllm plan --", tmp_path)
    assert completed("finllm export --format m", tmp_path) == {"merged"}


def test_the_bash_script_is_registered_and_defines_the_command(tmp_path):
    script = tmp_path / "finllm.bash"
    script.write_text(run("-m", "finllm", "completion", "bash").stdout, encoding="utf-8")
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {script}; complete -p finllm; type -t finllm"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-F _shtab_finllm finllm" in done.stdout
    assert done.stdout.split()[-1] in ("function", "file")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_script_names_all_commands_and_completes_files(shell):
    text = completion.script(shell, cli.parser(prog="finllm"))
    assert all(name in text for name in COMMANDS)
    files = {"bash": "_shtab_compgen_files", "zsh": "_files", "fish": "__fish_complete_path"}
    assert files[shell] in text
    assert text.startswith("#compdef finllm\n") == (shell == "zsh")


# --- JSON and colour


def test_json_is_one_object_without_nan(capsys):
    print_json({"a": math.nan, "b": [1.5, math.inf], "c": ("é", None)})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"a": None, "b": [1.5, None], "c": ["é", None]}


def test_the_verdict_as_json_is_what_the_report_stage_wrote():
    done = run("-m", "finllm", "verdict", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found.pop("not_current"), list)
    found.pop("provenance", None)
    assert found == json.loads((ROOT / "metrics/details/verdict.json").read_text())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colour_is_for_terminals_and_can_be_refused(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colour(Terminal()) and not has_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "")
    assert has_colour(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colour(Terminal())


def test_every_progress_bar_of_the_project_asks_whether_it_is_on_a_terminal():
    missing = []
    for path in sorted([*ROOT.glob("finllm/**/*.py"), *ROOT.glob("stages/*.py")]):
        text = path.read_text(encoding="utf-8")
        at = text.find("tqdm(")
        while at >= 0:
            call = text[at : text.find("\n\n", at)]
            if "disable=" not in call or "None" not in call:
                missing.append(f"{path.relative_to(ROOT)}: {call[:60]}")
            at = text.find("tqdm(", at + 1)
    assert not missing


def test_output_that_nobody_reads_any_more_is_no_error():
    command = f"(sleep 0.3; {shlex.quote(sys.executable)} -m finllm completion bash) | true"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
