"""Every way to look back against plain reinforcement learning, on tasks that tell them apart."""
