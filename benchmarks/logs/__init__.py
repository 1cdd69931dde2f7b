"""Learning from logs of real conversations."""
