"""Methods that change the prompt: the response is kept, and learnt under another prompt."""
