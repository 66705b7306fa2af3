"""A model writes answers: batches, rules while decoding, and the journal that a killed run resumes from."""
