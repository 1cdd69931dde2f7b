"""The small sweep behind preset `instructions`: each method at the same learning rates, for the same time.

`python benchmarks/instructions_sweep.py` (about 10 minutes on 2 cores); scores are greedy successes on the in-domain
split. Both methods get the same grid, so that the control is at its best when it is compared.
"""

from __future__ import annotations

import argparse
import tempfile

from results_file import Figure, write_results

from backsight import finetune

RATES = (3e-4, 7e-4, 1.5e-3)
METHODS = ("outcome", "relabel")


def main() -> None:
    """Train every combination and write the table."""
    parser = argparse.ArgumentParser(description="Sweep the learning rate of preset instructions.")
    parser.add_argument("--seconds", type=float, default=80.0, help="training time of each combination")
    parser.add_argument("--quick", action="store_true", help="5 seconds each")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seconds = 5.0 if arguments.quick else arguments.seconds
    figures = []
    for method in METHODS:
        for rate in RATES:
            with tempfile.TemporaryDirectory() as folder:
                result = finetune(
                    "pocket",
                    "instructions",
                    hindsight=method,
                    learning_rate=rate,
                    stop={"max_seconds": seconds},
                    eval_items=300,
                    output_dir=folder,
                    seed=arguments.seed,
                    show_progress=False,
                )
            score = result.after["in_domain"].reward
            row = f"{method}, learning_rate={rate:g}, {result.progress.attempts} attempts"
            print(f"{row}: {score.mean:.3f} ({score.low:.3f}-{score.high:.3f})", flush=True)
            figures.append(Figure(row, score.mean, (score.low, score.high), "greedy success in domain"))
    print(write_results("instructions_sweep", [arguments.seed], figures))


if __name__ == "__main__":
    main()
