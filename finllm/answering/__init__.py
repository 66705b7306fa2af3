"""A model writes answers: batches, rules while decoding, the journal of answers."""
