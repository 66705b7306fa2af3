"""The command line ``python -m finllm COMMAND``; each command is a module of finllm/commands."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from finllm.commands import completion, crossvalidate, pool, preset, repro, search, seeds, verdict
from finllm.commands.chat import command as chat
from finllm.commands.doctor import command as doctor
from finllm.commands.export import command as export
from finllm.commands.gpu_check import command as gpu_check
from finllm.commands.inspect import command as inspect
from finllm.commands.plan import command as plan
from finllm.commands.predict import command as predict
from finllm.commands.rate import command as rate
from finllm.commands.score import command as score
from finllm.commands.study import command as study
from finllm.commands.terminal import bars_on_terminals_only
from finllm.runtime.environment import in_words, outside

COMMANDS = (  # in the order of the help: first steps, settings, the model, its scores, the shell
    doctor,
    gpu_check,
    repro,
    verdict,
    plan,
    preset,
    inspect,
    search,
    crossvalidate,
    study,
    chat,
    predict,
    export,
    score,
    rate,
    pool,
    seeds,
    completion,
)


class _Help(argparse.HelpFormatter):
    """Layout of the list of commands, one line each: argparse does not count their indent."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        longest = max(map(len, action.choices)) if action.dest == "command" else 0
        self._action_max_length = max(self._action_max_length, longest + 4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; report a user's mistake in one line with exit code 1, without a traceback."""
    commands = parser()
    _check_command(sys.argv[1:] if arguments is None else arguments, commands)
    parsed = commands.parse_args(arguments)
    if parsed.command is None:
        commands.print_help(sys.stderr)
        sys.exit(2)
    bars_on_terminals_only()
    deprecated = ".is_gradient_checkpointing. is deprecated"  # PEFT 0.21 reads it, not the user
    warnings.filterwarnings("ignore", deprecated, FutureWarning)
    try:
        code = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        sys.exit(f"finllm {parsed.command}: {outside(error)}")
    except (ValueError, OSError) as error:
        sys.exit(f"finllm {parsed.command}: {in_words(error)}")
    except KeyboardInterrupt:
        print(f"finllm {parsed.command}: interrupted", file=sys.stderr)
        sys.exit(130)
    if code:
        sys.exit(code)


def _check_command(arguments: Sequence[str], commands: argparse.ArgumentParser) -> None:
    """Exit with code 2 if the first argument is no command; argparse would list them in a line."""
    name = next(iter(arguments), "-")
    known = next(action.choices for action in commands._actions if action.dest == "command")
    if not name.startswith("-") and name not in known:
        from finllm.settings.checked_record import did_you_mean

        hint = did_you_mean(name, known) or ";"
        print(f"finllm: no command {name!r}{hint} see python -m finllm --help", file=sys.stderr)
        sys.exit(2)


def parser(prog: str = "python -m finllm") -> argparse.ArgumentParser:
    """Return the parser of all commands; ``prog`` is the program name that the help shows."""
    found = argparse.ArgumentParser(
        prog=prog,
        description="Fine-tune a language model on earnings calls and test whether it helped. "
        "Run the pipeline with `repro` or `dvc repro`.",
        epilog=f"Run `{prog} COMMAND --help` for options and examples, and `{prog} doctor` to "
        "check the environment.",
        formatter_class=_Help,
    )
    found.set_defaults(parser=parser)  # for `completion`, which builds its script from this parser
    commands = found.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return found
