"""``finllm doctor``: checks of everything that a run needs, with commands that fix problems."""
