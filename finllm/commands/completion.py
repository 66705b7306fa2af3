"""``finllm completion``: print a shell completion script, made by shtab."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import new_command

SHELLS = ("bash", "zsh", "fish")
CALL = 'command -v finllm >/dev/null 2>&1 || finllm() { python -m finllm "$@"; }\n'
FISH_CALL = "type -q finllm; or function finllm; python -m finllm $argv; end\n"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "completion",
        run,
        summary="print a shell completion script",
        description=(
            "The script completes commands, options and files on Tab, and defines `finllm` as "
            "a shorthand for `python -m finllm` unless that command exists. It is static: "
            "Python does not run on Tab. Print it again after an update."
        ),
        example=(
            "completion bash > ~/.finllm.bash && source ~/.finllm.bash\n"
            "completion zsh > ~/.finllm.zsh && source ~/.finllm.zsh\n"
            "completion fish | source"
        ),
        reads="nothing",
        writes="nothing; the script goes to standard output",
    )
    command.add_argument("shell", choices=SHELLS, help="shell to complete in")


def run(parsed: argparse.Namespace) -> None:
    """Print the completion script of the chosen shell."""
    print(script(parsed.shell, parsed.parser(prog="finllm")))


def script(shell: str, every: argparse.ArgumentParser) -> str:
    """Return the completion script of a shell; it defines ``finllm`` unless that command exists."""
    import shtab

    _prepare(every, shtab.FILE)
    text = shtab.complete(every, shell=shell)
    if shell == "zsh":  # its first line must be the #compdef tag
        return text.replace("\n", f"\n\n{CALL}", 1)
    return (FISH_CALL if shell == "fish" else CALL) + text


def _prepare(parser: argparse.ArgumentParser, files: dict[str, str]) -> None:
    """Let every path argument complete file names, and describe each command by its summary."""
    for action in parser._actions:
        if action.type is Path:
            action.complete = files
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                action.choices[choice.dest].description = choice.help
            for command in action.choices.values():
                _prepare(command, files)
