"""Instructions on everyday topics with several constraints that anybody could check."""
