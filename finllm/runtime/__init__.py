"""What surrounds a run: environment, worker processes, progress display, provenance, DVC."""
