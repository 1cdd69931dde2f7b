"""Sampling by a vLLM server: tokens go there, and tokens come back with the log-probabilities they were drawn with.

Every answer says which version of the weights it was drawn with. One of another version, as a server gives that was
started anew, is thrown away and asked for again once the server has the weights; its seed is the same.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sys
import tempfile
import weakref
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backsight.distributed.ranks import ALONE, Ranks
from backsight.errors import ConfigError, DataError, EngineError, ModelError, RankError
from backsight.policies import adapters
from backsight.policies.base import Policy, trained_weights
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.text import begun_tokens
from backsight.profiling import Profile
from backsight.rollouts.base import Capability
from backsight.rollouts.completions import action_of, has_stopped
from backsight.rollouts.vllm import proof
from backsight.rollouts.vllm.client import Refusal, VllmClient
from backsight.rollouts.vllm.facts import ServerFacts, look_at
from backsight.rollouts.vllm.nccl import NcclTransfer, check_can_transfer
from backsight.rollouts.vllm.options import VllmOptions
from backsight.rollouts.vllm.placed import start_server
from backsight.rollouts.vllm.server import Server, check_installed
from backsight.rollouts.vllm.transfer import FolderTransfer, Transfer, save, save_untied
from backsight.types import Action, Observation, Sampling

GENERATE = "/inference/v1/generate"
MOST_REVIVALS = 3
"""Most times that a server is given its weights again, or started anew, before the answers of one call are there."""
PATIENCE = 1.0
"""Seconds that a server's end takes to be noticed."""
UNKNOWN_MODEL = 404
ON_CPU = ("--no-enable-chunked-prefill",)
"""Words for a server on a CPU: where a prompt with a seed is read in parts, vLLM 0.32 dies there ("CPU Generator does
not use offset")."""
LOG, WEIGHTS = "server.log", "weights"
"""What the engine writes: the log of a server that it has started, and weights on their way."""


def build_engine(options: VllmOptions, policy: Policy, ranks: Ranks) -> VllmEngine:
    """Make the engine; a server that runs already is looked at, one of its own is started when it is needed.

    Several ranks share the server: the first one starts it and gives it weights, and all ask it for answers.

    Raises:
        BacksightError: when the policy is no decoder-only model, or the server does not fit.
    """
    if not isinstance(policy, CausalLMPolicy):
        raise ModelError("policy", policy.kind, "vLLM samples from decoder-only models alone; set engine=in_process")
    if adapters.has_adapter(policy.model) and any(each.use_dora for each in policy.model.peft_config.values()):
        raise ConfigError("adapter.name", "dora", "vLLM has no such adapters; set adapter=lora or engine=in_process")
    if options.transfer == "nccl":
        check_can_transfer(policy)
    return VllmEngine(options, policy, ranks)


class VllmEngine:
    """An engine that samples by a vLLM server. Its weights change by `load_weights` alone."""

    capabilities: Collection[Capability] = frozenset({"files"})

    def __init__(self, options: VllmOptions, policy: CausalLMPolicy, ranks: Ranks = ALONE) -> None:
        self.options, self.policy, self.ranks, self.profile = options, policy, ranks, Profile()
        self.folder = Path(tempfile.mkdtemp(prefix="backsight-vllm-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.name = ranks.agree(secrets.token_hex(4))
        """Name by which this engine knows its versions from those of another run on the same server."""
        self.version = ""
        """Name of the weights that the server has, which follows from them, so that all ranks know it."""
        self.server: Server | None = None
        self.transfer: Transfer | None = None
        self._is_connected = False
        self.python = options.python or sys.executable
        if options.start:
            check_installed(self.python)
        else:
            assert options.url is not None
            self._connect(options.url)

    def keep_files_in(self, folder: Path) -> None:
        """Put the log of the server into a folder, and the weights, for as long as the engine is there."""
        if not self.ranks.is_first:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        shutil.rmtree(folder / WEIGHTS, ignore_errors=True)  # of a run that was killed
        weakref.finalize(self, shutil.rmtree, folder / WEIGHTS, ignore_errors=True)
        if isinstance(self.transfer, FolderTransfer):
            self.transfer.folder = (folder / WEIGHTS).resolve()

    @property
    def dtype(self) -> torch.dtype:
        """Precision in which the server computes."""
        return self._started().dtype

    def load_weights(self, policy: Policy) -> None:
        assert isinstance(policy, CausalLMPolicy)
        facts, version = self._started(), f"{self.name}-{_digest(policy)}"
        if version == self.version:
            return
        self.version = version
        if not self.ranks.is_first:
            return
        try:
            with self.profile.phase("sync"):
                assert self.transfer is not None
                self.transfer.send(policy, version)
                self._prove(policy, facts)
        except BaseException:
            self.version = ""  # nobody knows what the server has now
            raise

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Action]]:
        facts = self._started()
        check_sampling(sampling)
        for observation in observations:
            self.policy.check_prompt(observation, sampling.max_completion_length)
        bodies = [
            self._body(observation, sampling, seed, facts)
            for observation, seed in zip(observations, seeds, strict=True)
        ]
        waiting = list(range(len(bodies)))
        for _ in range(1 + MOST_REVIVALS):
            failure: EngineError | None = None
            lacking = set(waiting)
            with closing(self._answers([bodies[index] for index in waiting])) as answers:
                for place, answer in answers:
                    if isinstance(answer, Exception):
                        failure = self._judged(answer)
                        continue
                    tokens, log_probs_C, version = self._read(answer)
                    if version == self.version:
                        index = waiting[place]
                        lacking.remove(index)
                        self.profile.tokens["decode"] += len(tokens)
                        yield index, self._action(observations[index], tokens, log_probs_C, sampling)
            if not lacking:
                return
            waiting = sorted(lacking)
            for index in waiting:  # the name of the adapter stands in the request
                bodies[index] = {**bodies[index], **self._model()}
            self._revive()
        what = failure or EngineError(
            "engine.url", self.client.url, "goes on with other weights; does a second run use it?"
        )
        raise what

    def _started(self) -> ServerFacts:
        """Return what is known of the server, after it was started if that is its turn."""
        if not self._is_connected:
            url = self.ranks.first(self._start)
            if not self.ranks.is_first:
                self._connect(url)
        return self.facts

    def _start(self) -> str:
        """Start a server, and return its address."""
        model = self.folder / WEIGHTS / "model"
        if adapters.has_adapter(self.policy.model):
            model = Path(self.policy.model.name_or_path)
        elif not model.exists():
            write = save_untied if self.policy.model.device.type == "cpu" else save
            write(self.policy, model)
        self.server = start_server(self.python, model, self._words(), self.folder / LOG, self.options.timeout)
        self._connect(self.server.url)
        return self.server.url

    def _words(self) -> list[str]:
        """Return words for the command line of a server of this policy; those of the user come last."""
        words = [f"--dtype={str(next(self.policy.module.parameters()).dtype).removeprefix('torch.')}"]
        if self.policy.model.device.type == "cpu":
            words += ON_CPU
        if adapters.has_adapter(self.policy.model):
            rank = max(config.r for config in self.policy.model.peft_config.values())
            words += ["--enable-lora", f"--max-lora-rank={_allowed_rank(rank)}"]
        if self.options.transfer == "nccl":
            words.append(f"--weight-transfer-config={json.dumps({'backend': 'nccl'})}")
        return [*words, *self.options.arguments]

    def _connect(self, url: str) -> None:
        self.client = VllmClient(url, self.options.timeout, self.options.retries)
        self.facts = look_at(self.client, self.policy)
        if self.transfer is None:
            is_by_folder = self.options.transfer == "folder"
            folder = self.folder / WEIGHTS
            self.transfer = FolderTransfer(self.client, folder) if is_by_folder else NcclTransfer(self.client)
        self.transfer.client = self.client
        self._is_connected = True

    def _revive(self) -> None:
        """Give a server that was started anew, or that somebody else has given weights, the weights it should have.

        Raises:
            RankError: when other ranks use it as well, which know nothing of it; all have to start again.
        """
        if self.ranks.size > 1:
            remedy = (
                "no longer has the weights that it was given; the run goes on from its newest checkpoint with --resume"
            )
            raise RankError("engine.url", self.client.url, remedy)
        if self.server is not None and self.server.has_ended(PATIENCE):
            self.server.stop()
            self._start()
        assert self.transfer is not None
        self.transfer.send_again()

    def _prove(self, policy: CausalLMPolicy, facts: ServerFacts) -> None:
        served = self.client.post("/weight_checker", {"action": "checksum"})["checksums"]
        proof.check_checksums(policy, served, facts.dtype, self.client.url)
        sampled = dict(self.act(proof.PROBES, proof.SAMPLING, [proof.SEED] * len(proof.PROBES)))
        answers = [sampled[index] for index in range(len(proof.PROBES))]
        proof.check_answers(policy, answers, facts.dtype, self.client.url)

    def _answers(self, bodies: Sequence[Mapping[str, Any]]) -> Generator[tuple[int, Any], None, None]:
        """Send requests, and yield answers as they come. Waiting for them is what decoding takes."""
        with closing(self.client.post_all(GENERATE, bodies)) as answers:
            while True:
                with self.profile.phase("decode"):
                    came = next(answers, None)
                if came is None:
                    return
                yield came

    def _body(self, observation: Observation, sampling: Sampling, seed: int, facts: ServerFacts) -> dict[str, Any]:
        tokens, begun = self.policy.prompt_tokens(observation), len(begun_tokens(observation))
        most = max(1, sampling.max_completion_length - begun)
        if len(tokens) + most > facts.max_length:
            remedy = f"with a completion is longer than the server's {facts.max_length}; start it with --max-model-len"
            raise DataError("prompt", f"{len(tokens)} tokens", remedy)
        how = {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
            "max_tokens": most,
            # the server counts the tokens before the end, and backsight the end as well
            "min_tokens": min(most, max(0, sampling.min_completion_length - 1 - begun)),
            "stop_token_ids": list(self.policy.end_tokens),
            "ignore_eos": True,  # what ends a completion is said by the policy
            "stop": list(sampling.stop_strings),
            "seed": seed,
            "logprobs": 0,
            "detokenize": bool(sampling.stop_strings),
        }
        return {"token_ids": list(tokens), "sampling_params": how, **self._model()}

    def _model(self) -> dict[str, str]:
        return {"model": self.version} if adapters.has_adapter(self.policy.model) else {}

    def _read(self, answer: Any) -> tuple[list[int], Tensor, str]:
        """Return the tokens of an answer, their log-probabilities, (C,), and the version of the weights.

        Raises:
            EngineError: when the answer does not hold them.
        """
        try:
            (choice,) = answer["choices"]
            tokens = [int(token) for token in choice["token_ids"]]
            drawn = choice["logprobs"]["content"]
            log_probs_C = torch.tensor([float(each["logprob"]) for each in drawn], dtype=torch.float32)
            if not tokens or [each["token_id"] for each in drawn] != tokens:
                raise ValueError
            versions = {span["version"] for span in choice["weight_versions"]}
        except (LookupError, TypeError, ValueError) as error:
            remedy = f"vLLM {self.facts.version} answers {GENERATE} otherwise than backsight was tried with"
            raise EngineError("engine.url", self.client.url, remedy) from error
        if adapters.has_adapter(self.policy.model):
            return tokens, log_probs_C, str(answer["model"])
        return tokens, log_probs_C, versions.pop() if len(versions) == 1 else ""

    def _action(self, observation: Observation, tokens: list[int], log_probs_C: Tensor, sampling: Sampling) -> Action:
        begun = list(begun_tokens(observation))
        for count in range(1, len(tokens)) if sampling.stop_strings else ():
            if has_stopped(self.policy, begun + tokens[:count], sampling.stop_strings):
                tokens = tokens[:count]
                break
        return action_of(self.policy, observation, tokens, log_probs_C, sampling)

    def _judged(self, error: Exception) -> EngineError:
        """Return an error after which to ask again, and raise every other one."""
        if isinstance(error, Refusal) and error.status != UNKNOWN_MODEL:
            if "scale-out" in error.remedy.lower():
                raise EngineError("engine.url", self.client.url, "start it with --enable-scale-out") from error
            raise error
        if not isinstance(error, EngineError):
            raise error
        return error


def check_sampling(sampling: Sampling) -> None:
    """Check that vLLM draws from the same distribution as the learner scores.

    Raises:
        ConfigError: when it does not: it applies min-p before top-p, and backsight, as transformers, after it.
    """
    if sampling.top_p < 1 and sampling.min_p > 0:
        raise ConfigError("min_p", sampling.min_p, "vLLM applies it before top_p; leave out one of the two")


def _digest(policy: Policy) -> str:
    """Return a text that follows from the sums over the bits of each trained weight, and changes with any of them."""
    views = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    weights = [weight.detach() for weight in trained_weights(policy.module).values()]
    sums = [weight.view(views[weight.element_size()]).sum(dtype=torch.int64) for weight in weights]
    return hashlib.sha256(torch.stack(sums).cpu().numpy().tobytes()).hexdigest()[:16]


def _allowed_rank(rank: int) -> int:
    """Return the smallest of vLLM's largest ranks of adapters that is large enough."""
    return next((each for each in (8, 16, 32, 64, 128, 256, 320, 512) if each >= rank), rank)
