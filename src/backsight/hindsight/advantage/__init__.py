"""Methods that change the advantage: prompts and responses are kept, and decisions get other credit."""
