"""Pairs of a right and a wrong answer, and training on them."""
