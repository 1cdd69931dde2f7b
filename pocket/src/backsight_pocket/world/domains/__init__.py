"""One module a domain: its words and what goes with what, in the notation that `sheet` reads."""
