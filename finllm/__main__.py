"""``python -m finllm``."""

from finllm.cli import main

main()
