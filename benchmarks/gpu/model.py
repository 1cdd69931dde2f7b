"""Make the model of the benchmark ready: `python -m benchmarks.gpu.model JOB`.

SmolLM2 is converted, which takes some seconds, once. The rehearsal has a model of random weights in its likeness.
"""

from __future__ import annotations

import time
from pathlib import Path

from backsight.policies.small import make_byte_tokenizer, make_small_model
from backsight.runs.start import place_of_policy
from benchmarks.gpu.jobs import Job
from benchmarks.shared.results import Figure

SMOLLM2 = "smollm2"
CHAT_TEMPLATE = (
    "{% for each in messages %}[{{ each.role }}] {{ each.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
TINY = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def main(job: Job) -> None:
    started = time.monotonic()
    if job.rehearses:
        write_tiny_model(Path(job.model))
    else:
        place_of_policy(job.model)
    job.report([Figure(job.name, time.monotonic() - started, None, "seconds")])


def write_tiny_model(folder: Path) -> None:
    """Write a model that answers at random, and reads any text by its bytes."""
    tokenizer = make_byte_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    make_small_model(tokenizer, **TINY).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Job.from_arguments())
