"""The sweep of learning rates behind preset `instructions`."""
