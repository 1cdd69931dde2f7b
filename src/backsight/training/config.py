"""Settings of the training loop, the losses and the optimizer. The names are those of TRL and transformers."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from backsight.errors import ConfigError
from backsight.settings import OneOf, Settings
from backsight.training.algorithms import ALGORITHMS, LOSS_TYPES, SCALES
from backsight.types import Sampling

Count = Annotated[int, Field(ge=1)]
Cadence = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Several = Annotated[int, Field(ge=1, le=2**20)]
"""A number of things that are in memory together, or done one after another within a step."""
Rate = Annotated[float, Field(gt=0, le=100)]
"""A learning rate: AdamW moves each weight by up to so much in a step."""


BUDGETS = ("max_steps", "max_attempts", "max_tokens", "max_seconds")
"""The conditions in `stop` of which a run uses up a known share."""


class StopConfig(Settings):
    """Conditions that end training, at the first that holds. At least one has to be set.

    A budget (`max_steps`, `max_attempts`, `max_tokens`, `max_seconds`) that you set replaces all budgets of the preset.
    """

    max_steps: Count | None = None
    """Number of updates of the policy."""
    max_attempts: Count | None = None
    """Number of sampled episodes."""
    max_tokens: Count | None = None
    """Number of sampled tokens."""
    max_seconds: Positive | None = None
    """Wall-clock seconds of training, evaluations left out."""
    target: float | None = None
    """Score on the first evaluation split at which training ends."""
    patience: Count | None = None
    """Number of evaluations in a row without a better score after which training ends."""

    @property
    def has_budget(self) -> bool:
        """Whether a budget ends the run, so that the share of it that is used up is known at any time."""
        return any(getattr(self, budget) is not None for budget in BUDGETS)

    @model_validator(mode="after")
    def _is_finite(self) -> StopConfig:
        if not self.model_dump(exclude_none=True):
            raise ConfigError("stop", "empty", "training would never end; set stop.max_steps or stop.max_seconds")
        return self


class Loss(NamedTuple):
    """A type of loss, and the bounds of its ratios."""

    loss_type: str
    epsilon: float
    epsilon_high: float

    @property
    def is_finer_than_bf16(self) -> bool:
        """Whether rounding to bfloat16 looks like a step: it moves a decision by hundredths, and a response by more."""
        if self.loss_type in ("gspo", "sequence_clip"):
            return True
        return self.loss_type in ("clip", "dual_clip", "cispo") and min(self.epsilon, self.epsilon_high) < 0.1


class AlgorithmConfig(Settings):
    """Settings of the way from rewards to a loss."""

    algorithm: Annotated[str, OneOf(ALGORITHMS)] = "grpo"
    """Name of the algorithm: how returns become advantages, what is minimised, and how it is averaged."""
    loss_type: Annotated[str, OneOf(LOSS_TYPES)] | None = None
    """Loss that replaces the algorithm's own: the plain policy gradient (`pg`), clipped ratios of decisions (`clip`,
    `dual_clip`) or of whole responses (`gspo`, `sequence_clip`), weights cut above (`tis`) or on both sides (`cispo`),
    or a clip that fades (`sapo`)."""
    epsilon: Amount | None = None
    """Distance of the ratio's lower bound from 1; None takes the algorithm's."""
    epsilon_high: Amount | None = None
    """Distance of the ratio's upper bound from 1; None takes the algorithm's, or `epsilon` if it is set and larger."""
    delta: Annotated[float, Field(gt=1)] = 3.0
    """Multiple of its advantage that a bad decision weighs at most, with `loss_type=dual_clip`."""
    importance_cap: Annotated[float, Field(ge=1)] = 2.0
    """Weight that no decision exceeds, with `loss_type=tis` and in distillation."""
    sapo_temperature_pos: Positive = 1.0
    """Speed at which the gradient fades with the ratio for positive advantages, with `loss_type=sapo`."""
    sapo_temperature_neg: Positive = 1.05
    """Speed at which the gradient fades with the ratio for other advantages, with `loss_type=sapo`."""
    scale_rewards: Literal["auto", "group", "batch", "none"] = "auto"
    """Deviation that rewards are divided by after the mean of their group is subtracted: that of the group (`group` or
    true), of all attempts of the step (`batch`), or none (`none` or false). Every algorithm but `reinforce`, `rloo` and
    `ppo` takes it; `auto` is the algorithm's own, `none` for `dr_grpo` and `group` for the others."""
    beta: Amount = 0.0
    """Weight of the divergence from the reference, which is the policy before training, or the base beneath an adapter;
    0 keeps no reference."""
    kl_estimator: Literal["unbiased", "k3", "k1_reward"] = "unbiased"
    """How `beta` holds the policy to the reference: by a loss whose gradient is that of KL(π‖π_ref) (`unbiased`), by
    GRPO's published loss, whose gradient is that of the forward divergence (`k3`), or by taking β·log(π/π_ref) off the
    reward of each decision before advantages are estimated, as RLOO does (`k1_reward`)."""
    entropy_coef: Amount = 0.0
    """Weight of the entropy bonus."""
    label_smoothing_factor: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an imitated target that is spread over all tokens."""
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """γ of a reward one environment step later."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """λ of the generalised advantages of `algorithm=ppo`: 1 credits what was earned in fact, 0 what the critic expected
    one decision later."""
    critic_learning_rate: Rate = 1e-3
    """Learning rate of the critic of `algorithm=ppo`."""

    @property
    def estimator(self) -> str:
        """Name of the estimator: the algorithm's, unless `scale_rewards` says how rewards are scaled."""
        own = ALGORITHMS[self.algorithm].estimator
        return own if self.scale_rewards == "auto" else SCALES[self.scale_rewards]

    @property
    def penalises_kl(self) -> bool:
        """Whether the divergence from the reference is a part of the loss."""
        return self.beta > 0 and self.kl_estimator != "k1_reward"

    @property
    def loss(self) -> Loss:
        """The loss of the algorithm and its bounds, with what was set in their place."""
        known = ALGORITHMS[self.algorithm]
        low = known.epsilon if self.epsilon is None else self.epsilon
        high = max(low, known.epsilon_high) if self.epsilon_high is None else self.epsilon_high
        return Loss(self.loss_type or known.loss_type, low, high)

    @field_validator("scale_rewards", mode="before")
    @classmethod
    def _is_named_as_in_trl(cls, value: object) -> object:
        # the command line reads `none` as no value at all
        return "group" if value is True else "none" if value is False or value is None else value

    @model_validator(mode="after")
    def _scales_what_is_compared(self) -> AlgorithmConfig:
        if self.scale_rewards != "auto" and ALGORITHMS[self.algorithm].estimator not in SCALES.values():
            known = [name for name, each in ALGORITHMS.items() if each.estimator in SCALES.values()]
            remedy = f"algorithm={self.algorithm} scales in its own way; leave it out, or take {', '.join(known)}"
            raise ConfigError("scale_rewards", self.scale_rewards, remedy)
        return self

    @model_validator(mode="after")
    def _clips_in_order(self) -> AlgorithmConfig:
        loss = self.loss
        if loss.epsilon_high < loss.epsilon:
            raise ConfigError("epsilon_high", loss.epsilon_high, f"is below epsilon={loss.epsilon}; raise it as well")
        return self


class OptimizerConfig(Settings):
    """Settings of the way from a loss to new weights."""

    learning_rate: Rate = 1e-5
    """Step size of AdamW at its highest."""
    warmup_steps: Cadence = 0
    """Number of steps in which the learning rate rises from zero."""
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = "constant"
    """Schedule by which the learning rate falls to zero, over the largest share used of any budget in `stop`."""
    weight_decay: Amount = 0.0
    """Decoupled weight decay of AdamW."""
    max_grad_norm: Positive = 1.0
    """Longest gradient; longer ones are scaled down to it."""
    micro_batch_size: Count = 2048
    """Prompt and completion tokens in one forward pass, of each process where several learn together. It bounds memory
    and changes no result; when memory runs out all the same, a single process halves it and does the step again."""
    bf16: bool = False
    """Whether weights are held in bfloat16 for sampling and scoring, with a float32 master copy for the optimizer. That
    is faster where the hardware multiplies bfloat16 faster (GPUs, CPUs with AMX), and slower elsewhere."""

    @model_validator(mode="after")
    def _decays_to_zero_at_most(self) -> OptimizerConfig:
        if self.weight_decay * self.learning_rate > 1:
            remedy = (
                f"times learning_rate={self.learning_rate:g} is above 1, and would turn the signs of weights; lower it"
            )
            raise ConfigError("weight_decay", self.weight_decay, remedy)
        return self


class SamplingConfig(Settings):
    """Settings of how completions are drawn. The learner scores with the same settings, so that truncation does not
    bias ratios."""

    temperature: Annotated[float, Field(ge=1e-4, le=1e4)] = 1.0
    """Number that divides the logits before the softmax."""
    top_k: Cadence = 0
    """Number of the most likely tokens that can be drawn; 0 allows all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Probability that the most likely tokens together need to have, beyond which no other can be drawn."""
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Least share of the most likely token's probability with which a token can be drawn."""
    max_completion_length: Count = 64
    """Most tokens of a completion."""
    min_completion_length: Cadence = 0
    """Fewest tokens of a completion, end-of-text included."""
    stop_strings: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """Strings that end a completion, with the token that completes one of them."""

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
    """Settings of the teacher, the copy of the policy that is told what was revealed, and of what is learnt from it."""

    update: Literal["frozen", "ema", "restart", "trust_region", "live"] = "frozen"
    """The teacher's weights: those of the start (`frozen`), an average that follows the policy (`ema`), the policy's,
    taken anew every `restart_steps` steps and frozen in between (`restart`), the start's logits moved towards the
    policy's (`trust_region`), or the policy itself (`live`), which collapses and is there for experiments. SDPO
    averages; here the average of a small policy forgot how to use the hint before it had taught much
    (docs/methods.md)."""
    restart_steps: Count = 100
    """Number of steps after which the teacher takes over the policy's weights, with `update=restart`. RLCSD takes 10; a
    small policy that learns from few prompts has forgotten by then how to read a hint, and so has its teacher."""
    rate: PositiveShare = 0.05
    """Share of the policy that enters the average in a step, or the logits of the trust region."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Kind of divergence: 0 is forward KL, 1 reverse KL, between them Jensen-Shannon's. The papers use 0.5, whose
    gradient vanishes where a small policy gives the teacher's choice no probability; forward KL's does not."""
    top_k: Count = 100
    """Number of the teacher's likeliest actions that are compared; all others together are one more."""
    clip: Positive | None = None
    """Cap of what one action adds to the divergence of a decision; None sets no limit."""
    share: Annotated[tuple[PositiveShare, PositiveShare], Field(strict=False)] = (1.0, 1.0)
    """Share of the teacher's logits in the target, in the first step and after `share_steps`; the rest are those that
    the same weights have without the hint. `[0.5, 0.8]` is β-OPSD's, which stays nearer to the reference."""
    share_steps: Count = 200
    """Number of steps in which `share` goes from its first to its second value."""
    sequence_gradient: bool = False
    """Whether a token also answers for how far the policy is from the teacher at all later ones, as in DistIL: the
    gradient of the whole sequence in place of that of each token alone. It needs `alpha=0`. What has ended costs
    nothing more, so that a policy may learn to end at once."""
    check_steps: Cadence = 5
    """Number of steps between trials of the teacher: while its own attempts are not better than the policy's, nothing
    is distilled. 0 trusts it."""
    check_prompts: Count = 16
    """Most attempts of the teacher in a trial. The last four trials count."""

    @property
    def mixes(self) -> bool:
        """Whether the target holds something of what the teacher thinks without the hint."""
        return self.share != (1.0, 1.0)

    def share_at(self, step: int) -> float:
        """Return the share of the teacher's logits in the target of a step, counted from 0."""
        first, last = self.share
        return first + (last - first) * min(1.0, step / self.share_steps)

    @model_validator(mode="after")
    def _blends_one_thing(self) -> TeacherConfig:
        if self.mixes and self.update == "trust_region":
            remedy = "teacher.update=trust_region moves the logits already; take frozen, or leave it out"
            raise ConfigError("teacher.share", list(self.share), remedy)
        return self

    @model_validator(mode="after")
    def _credits_cross_entropy(self) -> TeacherConfig:
        if self.sequence_gradient and self.alpha != 0:
            remedy = "teacher.sequence_gradient is that of the cross-entropy to the teacher; leave it out, or alpha=0"
            raise ConfigError("teacher.alpha", self.alpha, remedy)
        return self


class TrainingConfig(AlgorithmConfig, OptimizerConfig, SamplingConfig):
    """All settings of the training loop."""

    stop: StopConfig
    """Conditions that end training."""
    teacher: TeacherConfig = TeacherConfig()
    """Settings of the teacher, for the methods that have one."""
    num_generations: Several = 8
    """Number of attempts at each prompt: the size of a group."""
    prompts_per_step: Several = 32
    """Number of groups in a step, which samples prompts_per_step x num_generations attempts."""
    mask_truncated_completions: bool = False
    """Whether completions that the limit of the length cut off are left out of the loss, as TRL leaves them out: their
    rewards still count where siblings are compared."""
    overlong_buffer: Cadence = 0
    """Number of tokens before max_completion_length over which a completion loses up to 1 of its reward, in proportion
    (DAPO's soft overlong punishment). Evaluations are not punished."""
    max_resample_rounds: Cadence = 0
    """Number of further rounds in which a step tries other prompts in place of those that taught nothing (DAPO's
    dynamic sampling), until prompts_per_step have; what taught nothing is left out of the means. 0 tries none."""
    num_iterations: Several = 1
    """Number of passes over the attempts of a step."""
    mini_batches: Several = 1
    """Number of optimizer steps in a pass: the attempts are sampled together and learnt in so many parts."""
    success_threshold: float = 1.0
    """Total reward from which an attempt counts as a success, where neither the task nor the environment says so."""
    reward_timeout: Positive = 600.0
    """Seconds to wait for rewards, and for each answer of an environment; then the run ends and names who gave none."""
    reward_workers: Cadence = 0
    """Number of threads that ask for rewards while sampling goes on; 0 asks after it, in the thread of the run, which
    functions with timers, connections or event loops of their own may need."""
    max_staleness: Annotated[int, Field(ge=0, le=16)] = 0
    """Number of steps that are sampled ahead while others are learnt: the weights that sample a step are so many steps
    old. 0 samples each step with the newest ones."""
    eval_steps: Cadence = 0
    """Number of steps between evaluations; 0 evaluates only before and after training."""
    keep_best: bool = False
    """Whether the policy that is saved is the one with the best score on the first evaluation split, that of the start
    included, and not the last one. That score is optimistic: it was chosen by."""
    eval_items: Count = 200
    """Number of items of each split in an evaluation."""
    logging_steps: Count = 1
    """Number of steps between lines of metrics."""
    save_steps: Cadence = 0
    """Number of steps between checkpoints; 0 saves only at the end."""
    save_total_limit: Count = 2
    """Number of checkpoints that are kept."""
    trace: Literal["off", "sampled", "all"] = "sampled"
    """Rows of which the run folder keeps what a step did to each token, for `backsight view`: none; those of one group
    of a step, as often as costs at most 1.5 % of the time; or all."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of everything that is drawn."""

    @model_validator(mode="after")
    def _corrects_what_is_off_policy(self) -> TrainingConfig:
        if self.max_staleness and self.loss.loss_type == "pg":
            remedy = "max_staleness needs a ratio to the weights that sampled; set it to tis"
            raise ConfigError("loss_type", "pg", remedy)
        return self

    @model_validator(mode="after")
    def _punishes_within_the_limit(self) -> TrainingConfig:
        if self.overlong_buffer > self.max_completion_length:
            remedy = f"is above max_completion_length={self.max_completion_length}, the longest there is; lower it"
            raise ConfigError("overlong_buffer", self.overlong_buffer, remedy)
        return self

    @model_validator(mode="after")
    def _judges_before_it_samples_again(self) -> TrainingConfig:
        if self.max_staleness and self.max_resample_rounds:
            remedy = "has to know what a step taught before the next is sampled; leave out max_staleness"
            raise ConfigError("max_resample_rounds", self.max_resample_rounds, remedy)
        return self

    @model_validator(mode="after")
    def _stops_can_fire(self) -> TrainingConfig:
        stop = self.stop
        if (stop.target is not None or stop.patience is not None) and self.eval_steps == 0:
            raise ConfigError("eval_steps", 0, "stop.target and stop.patience need evaluations; set it to 1 or more")
        if self.keep_best and self.eval_steps == 0:
            raise ConfigError("eval_steps", 0, "keep_best chooses among evaluations; set it to 1 or more")
        if self.lr_scheduler_type != "constant" and not stop.has_budget:
            raise ConfigError(
                "lr_scheduler_type",
                self.lr_scheduler_type,
                "needs a known end: set stop.max_steps, max_attempts, max_tokens or max_seconds",
            )
        return self
