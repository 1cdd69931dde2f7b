"""Whether looking back generalises better than supervised fine-tuning and plain reinforcement learning."""
