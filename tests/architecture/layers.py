"""The order of the rooms."""

LAYERS = [
    {"types", "errors", "registry", "settings", "seeds", "profiling", "disk", "interrupts", "rounding", "threads"},
    {"estimators"},
    {"losses"},
    {"tasks"},
    {"policies"},
    {"feedback"},
    {"environments"},
    {"rollouts"},
    {"hindsight"},
    {"training"},
    {"evaluation"},
    {"reports"},
    {"config"},
    {"presets"},
    {"runs"},
    {"comparison"},
    {"cli"},
    {"__main__"},
]
"""Rooms of the package, lowest first."""
