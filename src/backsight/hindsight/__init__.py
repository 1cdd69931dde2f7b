"""Hindsight methods: what is revealed after an episode becomes examples to learn from.

A method takes the finished groups of a training step. It returns the same groups, perhaps with other rewards or
advantages, and examples for the learner. What was revealed can enter an update in five places, and each place has a
folder: `reward/`, `prompt/`, `response/`, `advantage/` and `target/` (the distribution that a teacher sets as the
target).

To add a method, write one file in the folder of its place, with a class derived from `Hindsight` that overrides
`reconsider`. In the `options.py` beside it write a class of options, derived from `MethodOptions`, with a `name` and
with `method`, which says where the class stands; add it to the tuple of the place at the end of that file (`REWARD`,
`PROMPT`, `RESPONSE`, `ADVANTAGE` or `TARGET`). Put a test at the same place under `tests/unit/hindsight/`, and add a
line to the table in `docs/methods.md`. Nothing else changes: the trainer does not know which method runs.
"""
