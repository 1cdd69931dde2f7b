"""How runs grow over processes and machines."""
