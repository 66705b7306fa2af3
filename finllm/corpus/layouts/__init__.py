"""Transcripts as publishers lay them out: who speaks in which section, found in plain text."""

from finllm.corpus.layouts.reading import PLAIN, Reading, read

__all__ = ["PLAIN", "Reading", "read"]
