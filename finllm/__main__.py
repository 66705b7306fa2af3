"""``python -m finllm``; outside the environment a sentence says how to enter it."""

import sys

from finllm.environment import outside, python_fits, too_old

if not python_fits():
    sys.exit("finllm: " + too_old())
try:
    from finllm.cli import main
except ModuleNotFoundError as error:
    sys.exit("finllm: " + outside(error))

main()
