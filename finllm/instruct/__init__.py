"""Transcripts to examples: templates, references, prompts with label mask, the split."""
