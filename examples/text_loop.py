"""The four steps of the method in one file: a language model learns to write what it is asked for.

    python examples/text_loop.py

The prompt names four words, and only the same four words in the same order earn a reward. The model starts
with a random answer, which is right once in 256 attempts, so that plain reinforcement learning sees almost only
zeros. Hindsight sees more: each attempt would have been right for another prompt, the one that asks for what was
written. The loop uses backsight's policies, engines, estimators, losses and methods, but not its trainer, so that you
can read every step and change it. It takes less than a minute on a CPU.
"""

import copy
import itertools
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.estimators.advantages import grpo
from backsight.hindsight.base import Hindsight, imitation_row
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.losses.policy_gradient import LossBounds, LossInputs, clip
from backsight.losses.targets import imitation
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.small import make_byte_tokenizer, make_small_model
from backsight.rollouts.base import Engine
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Example, Feedback, Group, Sampling, Step, Trajectory

WORDS = ("red", "green", "blue", "gold")
PROMPTS = [" " + " ".join(words) for words in itertools.product(WORDS, repeat=4)]
SAMPLING = Sampling(max_completion_length=5)
WARM_UP_STEPS, STEPS = 40, 120
PROMPTS_PER_STEP, NUM_GENERATIONS = 16, 8


def make_model() -> CausalLMPolicy:
    """Make a model with random weights, for which each of the words is a token."""
    tokenizer = make_byte_tokenizer(WORDS)
    model = make_small_model(
        tokenizer, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
    )
    return CausalLMPolicy(model, tokenizer)


def act(engine: Engine, prompts: Sequence[str], sampling: Sampling, seed: int) -> list[Action]:
    """1. Act: sample one completion for each prompt."""
    seeds = [seed * len(prompts) + number for number in range(len(prompts))]
    return [action for _, action in sorted(engine.act(prompts, sampling, seeds))]


def reveal(prompt: str, action: Action) -> Trajectory:
    """2. See the reward, and which prompt the completion would have been right for."""
    text = action.text or ""
    is_right = text == prompt
    achieved = (text,) if text in PROMPTS else None
    feedback = Feedback(reward=float(is_right), success=is_right, achieved_prompts=achieved)
    return Trajectory(prompt, (Step(prompt, action, terminated=True),), feedback)


def estimate(attempts: Sequence[Sequence[Trajectory]]) -> list[Group]:
    """3a. Compare each attempt with its siblings: advantages, one for each token."""
    rewards = [[torch.tensor([each.total_reward]) for each in siblings] for siblings in attempts]
    return [
        Group(
            siblings[0].start,
            tuple(siblings),
            tuple(value.expand(each.num_decisions) for value, each in zip(advantages, siblings, strict=True)),
        )
        for siblings, advantages in zip(attempts, grpo(rewards), strict=True)
    ]


def loss_of(policy: CausalLMPolicy, examples: Sequence[Example]) -> Tensor:
    """4a. Compute the clipped policy gradient on what was sampled plus the imitation of what was relabelled, each
    averaged over its own tokens."""
    log_probs = policy.log_probs(examples, SAMPLING).log_probs_N.split([each.num_decisions for each in examples])
    sampled, imitated = [], []
    for own, example in zip(log_probs, examples, strict=True):
        if example.advantages is not None and example.behaviour_log_probs is not None:
            inputs = LossInputs(own, example.behaviour_log_probs, example.advantages, [len(own)])
            sampled.append(clip(inputs, LossBounds()).losses_N)
        if example.imitation_weights is not None:
            imitated.append(imitation(own) * example.imitation_weights)
    return sum((torch.cat(part).mean() for part in (sampled, imitated) if part), torch.zeros(()))


def update(policy: CausalLMPolicy, optimizer: torch.optim.Optimizer, examples: Sequence[Example]) -> None:
    """4b. Take one optimizer step."""
    optimizer.zero_grad()
    loss_of(policy, examples).backward()
    torch.nn.utils.clip_grad_norm_(policy.module.parameters(), 1.0)
    optimizer.step()


class Room:
    """What methods may ask of the model, as far as it is needed here: every prompt leaves room for an answer."""

    def fits(self, prompts: Sequence[str], response: object = None) -> bool:
        return True


def train(policy: CausalLMPolicy, method: Hindsight, steps: int = STEPS) -> float:
    """Repeat the four steps; return the share of prompts that are answered right."""
    engine = engine_for(policy)
    optimizer = torch.optim.AdamW(policy.module.parameters(), lr=2e-3, weight_decay=0.0)
    rng = random.Random(0)
    for step in range(steps):
        prompts = rng.sample(PROMPTS, PROMPTS_PER_STEP)
        repeated = [prompt for prompt in prompts for _ in range(NUM_GENERATIONS)]
        actions = act(engine, repeated, SAMPLING, seed=step)
        trajectories = list(map(reveal, repeated, actions))
        siblings = range(0, len(trajectories), NUM_GENERATIONS)
        groups = estimate([trajectories[first : first + NUM_GENERATIONS] for first in siblings])
        # 3b. The method reads what was revealed. These two ask of the model only whether a prompt leaves room.
        update(policy, optimizer, method.look_back(groups, scorer=Room()).examples)  # type: ignore[arg-type]
    return success(engine)


def success(engine: Engine) -> float:
    """Return the share of all prompts for which the most likely completion is right."""
    actions = act(engine, PROMPTS, Sampling(temperature=0, max_completion_length=5), seed=0)
    return sum(action.text == prompt for prompt, action in zip(PROMPTS, actions, strict=True)) / len(PROMPTS)


def warm_up(policy: CausalLMPolicy, steps: int = WARM_UP_STEPS) -> None:
    """Teach the form of an answer and nothing else: four words, drawn without regard to the prompt."""
    optimizer = torch.optim.AdamW(policy.module.parameters(), lr=2e-3)
    rng = random.Random(1)
    for _ in range(steps):
        pairs = zip(rng.sample(PROMPTS, 32), rng.sample(PROMPTS, 32), strict=True)
        update(policy, optimizer, [imitation_row((asked,), (policy.encode(said),), "warm_up") for asked, said in pairs])


def main() -> None:
    """Train the same model with and without hindsight, and print what came of it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # to share out such small work takes longer than to do it
    policy = make_model()
    warm_up(policy)
    print(f"before                {success(engine_for(policy)):6.1%} of the prompts answered right")
    print(f"plain RL              {train(copy.deepcopy(policy), OutcomeOptions().build()):6.1%}")
    print(f"hindsight (relabel)   {train(copy.deepcopy(policy), RelabelOptions().build()):6.1%}")


if __name__ == "__main__":
    main()
