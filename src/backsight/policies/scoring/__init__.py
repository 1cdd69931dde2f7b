"""The way from prompts and responses to log-probabilities: how rows are laid out, cut and scored."""
