"""Scores of two models, compared by example and company."""
