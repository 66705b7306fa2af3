"""The bar of a training, and the lines of its log in place of the dictionaries of the trainer."""

import io
from types import SimpleNamespace

import pytest

from finllm.runtime import screen
from finllm.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    found = Terminal()
    monkeypatch.setattr(screen._screen, "err", found)
    monkeypatch.setattr(screen._screen, "waiting", False)  # and again when the test has ended
    return found


def test_the_bar_has_the_step_the_time_left_and_both_losses(terminal):
    progress, state = Progress(), SimpleNamespace(max_steps=6, global_step=2)
    progress.on_train_begin(None, state, None)
    progress.on_log(None, state, None, {"eval_loss": 2.203})
    progress.on_log(None, state, None, {"loss": 2.081, "grad_norm": 1.4})
    state.global_step = 3
    progress.on_step_end(None, state, None)
    progress._bar.refresh()
    last = terminal.getvalue().split("\r")[-1]
    assert last.startswith("train            50% |")
    assert "3/6 steps, " in last and " left, " in last
    assert last.rstrip().endswith("validation 2.20, loss 2.08")
    progress.on_train_end(None, state, None)
    assert "train" not in terminal.getvalue().split("\r")[-1].replace("train           ...", "")


def test_each_step_is_a_line_of_the_log_and_no_dictionary(capsys):
    progress, state = Progress(), SimpleNamespace(max_steps=6, global_step=2)
    progress.on_log(None, state, None, {"loss": 2.081, "grad_norm": 1.405})
    assert capsys.readouterr().out == "step 2 of 6: grad_norm 1.405 loss 2.081\n"
