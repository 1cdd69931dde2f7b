"""Methods that change the reward: the same episode is scored anew."""
