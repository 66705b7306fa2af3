"""The commands: ``add_parser`` defines the arguments, ``run`` executes it.

A command is a module, or a folder of ``command.py`` and what no other part of the library uses.

A module imports at its top only what the help needs: ``python -m finllm --help`` is to come at
once, so what a command works with is imported in its ``run``.
"""
