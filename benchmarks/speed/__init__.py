"""How fast backsight is, beside TRL and stable-baselines3."""
