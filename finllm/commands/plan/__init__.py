"""Estimate memory and time before a run."""
