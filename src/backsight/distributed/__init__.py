"""Several processes that learn one policy together: who they are, and how its weights are shared out among them."""
