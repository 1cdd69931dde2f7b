"""Draws that depend on names and on nothing else."""

from backsight.seeds import derive_seed


def test_a_seed_is_the_same_on_every_machine_and_another_for_every_name() -> None:
    assert derive_seed(0) == 4761921975702974394, "saved runs and splits depend on it"
    seeds = [derive_seed(0, *parts) for parts in ((), (1,), (1, 2), (12,), ("collect", 1), ("reveal", 1))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
