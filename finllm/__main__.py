"""Entry point of ``python -m finllm``; explains how to activate the environment if needed."""

import sys

from finllm.runtime.environment import outside, python_fits, wrong_python

if not python_fits():
    sys.exit("finllm: " + wrong_python())
try:
    from finllm.cli import main
except ModuleNotFoundError as error:
    sys.exit("finllm: " + outside(error))

main()
