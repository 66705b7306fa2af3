"""Build instruction examples: templates, references, prompts with a label mask, and the split."""
