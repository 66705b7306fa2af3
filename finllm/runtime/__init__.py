"""Runtime support: environment, worker processes, progress display, provenance, DVC."""
