"""Sampling from language models in this process, token by token."""
