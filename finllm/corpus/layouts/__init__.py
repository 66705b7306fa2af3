"""Read transcripts in publishers' layouts: find speakers and sections in plain text."""

from finllm.corpus.layouts.reading import PLAIN, Reading, read

__all__ = ["PLAIN", "Reading", "read"]
