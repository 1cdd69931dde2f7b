"""A server that speaks as much of vLLM's language as the engine uses, with faults that can be switched on.

vLLM itself is tried in `tests/scale`; here are the faults that it does not have on demand.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.opening import open_policy
from backsight.policies.scoring.log_probs import behaviour_logits
from backsight.types import Sampling

VERSION = "0.32.0"


class FakeVllm:
    """A server on a free port of this machine; use it as a context."""

    def __init__(self, policy: CausalLMPolicy, **settings: Any) -> None:
        self.policy, self.tokenizer = policy, policy.tokenizer
        self.settings = {"logprobs_mode": "processed_logprobs", "max_model_len": 256, "dtype": "torch.float32"}
        self.settings |= settings
        self.lora: dict[str, Any] | None = None
        self.adapters: dict[str, CausalLMPolicy] = {}
        self.version = "default"
        self.closed: set[str] = set()
        """Routes that the server does not have."""
        self.faults: list[str] = []
        """What goes wrong with the next requests for answers: ``500``, ``half``, ``hang``, ``restart``, ``garbage``."""
        self.ignores_weights = self.hides_checksums = self.reads_raw = False
        self.asked: Counter[str] = Counter()
        """Number of requests by route."""
        self.lock = threading.Lock()
        self._http = _Quiet(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> FakeVllm:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return the status and the answer to a request."""
        self.asked[path] += 1
        if path in self.closed:
            return 403 if path == "/inference/v1/generate" else 404, {"error": {"message": "--enable-scale-out"}}
        if path not in self.routes:
            return 404, {"error": {"message": "Not Found"}}
        return self.routes[path](body)

    @property
    def routes(self) -> dict[str, Callable[[dict[str, Any]], tuple[int, Any]]]:
        """What is done at each route."""
        return {
            "/version": lambda _: (200, {"version": VERSION}),
            "/health": lambda _: (200, {}),
            "/server_info": lambda _: (200, {"vllm_config": {"model_config": self.settings, "lora_config": self.lora}}),
            "/tokenize": lambda body: (
                200,
                {"tokens": self.tokenizer(body["prompt"], add_special_tokens=False)["input_ids"]},
            ),
            "/weight_checker": lambda _: (200, {"checksums": self.checksums()}),
            "/collective_rpc": lambda body: self.reload(Path(body["kwargs"]["weights_path"])),
            "/reset_prefix_cache": lambda _: (200, {"success": True}),
            "/update_weight_version": lambda body: self.set_version(body["new_version"]),
            "/v1/load_lora_adapter": lambda body: self.load_adapter(body["lora_name"], Path(body["lora_path"])),
            "/v1/unload_lora_adapter": lambda body: (200 if self.adapters.pop(body["lora_name"], None) else 404, None),
            "/inference/v1/generate": self.generate,
        }

    def set_version(self, version: str) -> tuple[int, Any]:
        """Give the weights a name."""
        self.version = version
        return 200, {"success": True}

    def load_adapter(self, name: str, path: Path) -> tuple[int, Any]:
        """Take an adapter, or, with old weights, only its name."""
        self.adapters[name] = self.policy if self.ignores_weights else _open(path)
        return 200, None

    def reload(self, path: Path) -> tuple[int, Any]:
        """Take new weights, unless the server has none for them."""
        if not self.ignores_weights:
            self.policy = _open(path)
        return 200, {"results": [None]}

    def checksums(self) -> dict[str, str]:
        """Return the checksums of all weights, or those of nothing, as of weights that were packed."""
        found = {}
        for name, weight in self.policy.model.named_parameters():
            content = b"" if self.hides_checksums else weight.detach().contiguous().numpy().tobytes()
            found[f"dp0:pp0:pcp0:tp0:{name}"] = hashlib.sha256(content).hexdigest()
        return found

    def generate(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Draw a completion token by token, as vLLM defines its settings."""
        with self.lock:
            return self._generate(body)

    def _generate(self, body: dict[str, Any]) -> tuple[int, Any]:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "500":
            return 500, {"error": {"message": "EngineCore encountered an issue."}}
        if fault == "hang":
            time.sleep(2)
        if fault == "restart":
            self.version, self.adapters = "default", {}
        if fault == "garbage":
            return 200, {"choices": [{"token_ids": [1]}]}
        policy = self.policy
        if "model" in body:
            if body["model"] not in self.adapters:
                return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
            policy = self.adapters[body["model"]]
        tokens, log_probs = self.draw(policy, body["token_ids"], body["sampling_params"])
        content = [{"token_id": each, "logprob": own} for each, own in zip(tokens, log_probs, strict=True)]
        choice = {
            "token_ids": tokens,
            "logprobs": {"content": content},
            "weight_versions": [{"version": self.version, "start": 0, "end": len(tokens)}],
        }
        return 200, {"model": body.get("model"), "choices": [choice], "is_half": fault == "half"}

    @torch.no_grad()
    def draw(self, policy: CausalLMPolicy, prompt: list[int], how: dict[str, Any]) -> tuple[list[int], list[float]]:
        """Return the tokens and their log-probabilities."""
        sampling = Sampling(
            temperature=how["temperature"],
            top_k=how["top_k"],
            top_p=how["top_p"],
            min_p=how["min_p"],
            min_completion_length=how["min_tokens"] + 1 if how["min_tokens"] else 0,
        )
        generator, drawn, log_probs = torch.Generator().manual_seed(how["seed"]), list[int](), list[float]()
        while len(drawn) < how["max_tokens"]:
            logits_1V = policy.model(torch.tensor([[*prompt, *drawn]])).logits[:, -1]
            positions = torch.tensor([len(drawn)])
            behaviour_1V = behaviour_logits(logits_1V, sampling, positions, how["stop_token_ids"]).log_softmax(-1)
            token = int(torch.multinomial(behaviour_1V[0].exp(), 1, generator=generator))
            told_1V = logits_1V.log_softmax(-1) if self.reads_raw else behaviour_1V
            drawn.append(token)
            log_probs.append(float(told_1V[0, token]))
            if token in how["stop_token_ids"] or any(each in policy.decode(drawn) for each in how["stop"]):
                break
        return drawn, log_probs


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that have gone away."""


def _open(folder: Path) -> CausalLMPolicy:
    policy = open_policy(str(folder))
    assert isinstance(policy, CausalLMPolicy)
    return policy


def _handler(fake: FakeVllm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply({})

        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body: dict[str, Any]) -> None:
            status, answer = fake.answer(self.command, urlsplit(self.path).path, body)
            content = b"" if answer is None else json.dumps(answer).encode()
            if isinstance(answer, dict) and answer.get("is_half"):
                content = content[: len(content) // 2]
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
