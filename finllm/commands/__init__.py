"""The commands: ``add_parser`` defines a command's arguments, ``run`` executes it.

A command is a module, or a folder with ``command.py`` and the modules that only this command uses.

At its top a module imports only what the help needs, so that ``python -m finllm --help`` answers at
once; all other imports are in ``run``.
"""
