"""Preference tuning: pairs of a better and a worse answer, and training on them."""
