"""What a newcomer sees first: before your eyes, a small language model gets better."""
