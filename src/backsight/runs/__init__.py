"""Runs, from a configuration on: the parts of a run put in place, then training, evaluation and checks."""
