"""Checks of everything that a run needs, each finding with a command that fixes it."""
