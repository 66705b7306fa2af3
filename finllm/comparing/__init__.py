"""Comparisons of the scores of two models, by example and by company."""
