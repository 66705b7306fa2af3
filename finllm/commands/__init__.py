"""The commands, a module each: ``add_parser`` says what it takes, ``run`` does it.

A module imports at its top only what the help needs: ``python -m finllm --help`` is to come at
once, so what a command works with is imported in its ``run``.
"""
