"""Methods that change the response: the prompt is kept, and a better response is learnt under it."""
