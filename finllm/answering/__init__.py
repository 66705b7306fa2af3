"""Generation of answers: batches, decoding rules, and the journal of answers."""
