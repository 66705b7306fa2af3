"""The commands, one module each: ``add_parser`` defines the arguments, ``run`` executes it.

A module imports at its top only what the help needs: ``python -m finllm --help`` is to come at
once, so what a command works with is imported in its ``run``.
"""
