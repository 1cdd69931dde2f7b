"""Fine-tuning of a pretrained language model: five applications, the ways that are compared, and what came of it."""
