"""What the loop, the losses and the optimiser can be told. The names are TRL's and transformers'."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from backsight.errors import ConfigError
from backsight.settings import Settings
from backsight.types import Sampling

Count = Annotated[int, Field(ge=1)]
Cadence = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class StopConfig(Settings):
    """When training ends: at the first of these that holds. At least one has to be set."""

    max_steps: Count | None = None
    """Updates of the policy."""
    max_attempts: Count | None = None
    """Sampled episodes."""
    max_tokens: Count | None = None
    """Sampled tokens."""
    max_seconds: Positive | None = None
    """Wall-clock time of training, evaluations left out."""
    target: float | None = None
    """Score on the first evaluation split that is good enough."""
    patience: Count | None = None
    """Evaluations in a row without a better score: a plateau."""

    @property
    def has_budget(self) -> bool:
        """Whether something that only grows ends the run, so that a share of it is used up at any time."""
        return any((self.max_steps, self.max_attempts, self.max_tokens, self.max_seconds))

    @model_validator(mode="after")
    def _is_finite(self) -> StopConfig:
        if not self.model_dump(exclude_none=True):
            raise ConfigError("stop", "empty", "training would never end; set stop.max_steps or stop.max_seconds")
        return self


LossType = Literal["pg", "clip", "dual_clip", "gspo", "tis", "cispo", "sapo"]


class Loss(NamedTuple):
    """What is minimised, and between which ratios."""

    loss_type: LossType = "clip"
    epsilon: float = 0.2
    epsilon_high: float = 0.2


LOSSES = {
    "reinforce": Loss(),
    "rloo": Loss(),
    "grpo": Loss(),
    "dr_grpo": Loss(),
    "dapo": Loss(epsilon_high=0.28),  # Yu 2025, arXiv:2503.14476
    "gspo": Loss("gspo", 3e-4, 4e-4),  # Zheng 2025, arXiv:2507.18071
    "cispo": Loss("cispo"),  # MiniMax-M1 2025, arXiv:2506.13585; the bounds are verl's
    "sapo": Loss("sapo"),  # Gao 2025, arXiv:2511.20347
    "ppo": Loss(),  # Schulman 2017, arXiv:1707.06347
}
"""The loss that an algorithm is known for; its estimator and normalisation stand in `algorithms.py`."""


class AlgorithmConfig(Settings):
    """From rewards to a loss."""

    algorithm: Literal["reinforce", "rloo", "grpo", "dr_grpo", "dapo", "gspo", "cispo", "sapo", "ppo"] = "grpo"
    """How returns become advantages, what is minimised, and how it is averaged."""
    loss_type: LossType | None = None
    """The plain policy gradient, clipped ratios of decisions (once or on both sides) or of whole responses, weights
    that are cut above or on both sides, or a clip that fades; None: the algorithm's own."""
    epsilon: Amount | None = None
    """The ratio is clipped below 1 - epsilon … None: as the algorithm has it."""
    epsilon_high: Amount | None = None
    """… and above 1 + epsilon_high. None: as the algorithm has it, or epsilon, if that is set and larger."""
    delta: Annotated[float, Field(gt=1)] = 3.0
    """With loss_type=dual_clip a bad decision weighs at most so many times its advantage."""
    importance_cap: Annotated[float, Field(ge=1)] = 2.0
    """With loss_type=tis no decision weighs more than this."""
    sapo_temperature_pos: Positive = 1.0
    """With loss_type=sapo: how fast the gradient fades with the ratio, for positive advantages …"""
    sapo_temperature_neg: Positive = 1.05
    """… and for negative ones."""
    beta: Amount = 0.0
    """Weight of the divergence from the reference, the policy before training; with an adapter, also one that the run
    began with: its base. 0 keeps no reference."""
    entropy_coef: Amount = 0.0
    """Weight of the entropy bonus."""
    label_smoothing_factor: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an imitated target that is spread over all tokens."""
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of a reward one environment step later."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """With algorithm=ppo: 1 credits what was earned in fact, 0 what the critic expected one decision later."""
    critic_learning_rate: Positive = 1e-3
    """With algorithm=ppo: of the network that learns what to expect."""

    @property
    def loss(self) -> Loss:
        """The algorithm's, with what was set."""
        known = LOSSES[self.algorithm]
        low = known.epsilon if self.epsilon is None else self.epsilon
        high = max(low, known.epsilon_high) if self.epsilon_high is None else self.epsilon_high
        return Loss(self.loss_type or known.loss_type, low, high)

    @model_validator(mode="after")
    def _clips_in_order(self) -> AlgorithmConfig:
        loss = self.loss
        if loss.epsilon_high < loss.epsilon:
            raise ConfigError("epsilon_high", loss.epsilon_high, f"is below epsilon={loss.epsilon}; raise it as well")
        return self


class OptimizerConfig(Settings):
    """From a loss to new weights."""

    learning_rate: Positive = 1e-5
    warmup_steps: Cadence = 0
    """Steps in which the learning rate rises from zero."""
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = "constant"
    """How it falls to zero over the largest share used of any budget in `stop`."""
    weight_decay: Amount = 0.0
    max_grad_norm: Positive = 1.0
    """Longer gradients are scaled down to it."""
    micro_batch_size: Count = 2048
    """Prompt and completion tokens in one forward pass. It bounds memory and changes no result; when memory runs out
    all the same, it is halved and the step is done again."""
    bf16: bool = False
    """Weights in bfloat16 for sampling and scoring, with a float32 master copy for the optimizer. Faster where the
    hardware multiplies bfloat16 faster (GPUs, CPUs with AMX), slower elsewhere."""


class SamplingConfig(Settings):
    """How completions are drawn. The learner scores with the same, so that truncation does not bias the ratio."""

    temperature: Positive = 1.0
    """Divides the logits before the softmax."""
    top_k: Cadence = 0
    """Only the k most likely tokens; 0: all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Only the most likely tokens that together have this probability."""
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Only tokens that have this share of the most likely one's probability."""
    max_completion_length: Count = 64
    """In tokens."""
    min_completion_length: Cadence = 0
    """Before so many tokens, end-of-text included, a completion cannot end."""
    stop_strings: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """A completion ends with the token that completes one of them."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in SamplingConfig.model_fields})

    @model_validator(mode="after")
    def _can_end(self) -> SamplingConfig:
        if self.min_completion_length > self.max_completion_length:
            remedy = f"is above max_completion_length={self.max_completion_length}; lower it"
            raise ConfigError("min_completion_length", self.min_completion_length, remedy)
        return self


class TeacherConfig(Settings):
    """The copy of the policy that is told what was revealed, and what is learnt from it."""

    update: Literal["frozen", "ema", "trust_region", "live"] = "frozen"
    """The weights: those of the start, or an average that follows the policy, or the start's logits moved towards the
    policy's. SDPO averages; here a small policy's average forgot how to use the hint before it had taught much
    (docs/methods.md). `live`, the policy itself, collapses: for experiments."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of the policy that enters the average in a step, or the logits of the trust region."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The divergence: 0 forward KL, 1 reverse KL, between them Jensen-Shannon's. The papers use 0.5, whose gradient
    vanishes where a small policy gives the teacher's choice no probability; forward KL's does not."""
    top_k: Count = 100
    """Compare so many of the teacher's likeliest actions; all others together are one more."""
    clip: Positive | None = None
    """No decision's divergence counts more than this; None: no limit."""
    check_steps: Cadence = 5
    """Steps between trials of the teacher: while its own attempts are not better than the policy's, nothing is
    distilled. 0: it is trusted."""
    check_prompts: Count = 16
    """Attempts of the teacher in a trial. The last four trials count."""


class TrainingConfig(AlgorithmConfig, OptimizerConfig, SamplingConfig):
    """Everything the training loop can be told."""

    stop: StopConfig
    teacher: TeacherConfig = TeacherConfig()
    num_generations: Count = 8
    """Attempts at each prompt: the size of a group."""
    prompts_per_step: Count = 32
    """Groups in one step, so that a step samples prompts_per_step x num_generations attempts."""
    num_iterations: Count = 1
    """Passes over the attempts of a step."""
    mini_batches: Count = 1
    """Optimizer steps in a pass: the attempts are sampled together and learnt in so many parts."""
    reward_timeout: Positive = 600.0
    """Seconds to wait for rewards once sampling is done; then the run ends and names who did not answer."""
    reward_workers: Count = 1
    """Threads that ask for rewards; functions that are safe for it can be asked from several."""
    one_step_off: bool = False
    """Sample the attempts of the next step while this one is learnt, with the weights from before it."""
    eval_steps: Cadence = 0
    """Steps between evaluations; 0: only before and after training."""
    eval_items: Count = 200
    """Items of each split in one evaluation."""
    logging_steps: Count = 1
    """Steps between lines of metrics."""
    save_steps: Cadence = 0
    """Steps between checkpoints; 0: only at the end."""
    save_total_limit: Count = 2
    """Checkpoints that are kept."""
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _corrects_what_is_off_policy(self) -> TrainingConfig:
        if self.one_step_off and self.loss.loss_type == "pg":
            raise ConfigError(
                "loss_type", "pg", "one_step_off needs a ratio to the weights that sampled; set it to tis"
            )
        return self

    @model_validator(mode="after")
    def _stops_can_fire(self) -> TrainingConfig:
        stop = self.stop
        if (stop.target is not None or stop.patience is not None) and self.eval_steps == 0:
            raise ConfigError("eval_steps", 0, "stop.target and stop.patience need evaluations; set it to 1 or more")
        if self.lr_scheduler_type != "constant" and not stop.has_budget:
            raise ConfigError(
                "lr_scheduler_type",
                self.lr_scheduler_type,
                "needs a known end: set stop.max_steps, max_attempts, max_tokens or max_seconds",
            )
        return self
