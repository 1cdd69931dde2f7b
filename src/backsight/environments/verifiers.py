"""Environments of the package verifiers, as they are. This is the only file that imports verifiers.

All of an environment is left to verifiers: its tasks, its course (`Env.run`), its limits, hooks, tools and rewards. Two
parts are ours, at places where verifiers lets anybody put one:

- the *harness*, which is the program that plays for the agent: a chat loop in this process (`PolicyHarness`). The one
  of verifiers is a script in a process of its own for every rollout, which takes a second to start and offers a shell.
- the *model*: a server of OpenAI's API on this machine, where a request waits until the policy has acted.

Episodes run as tasks of one event loop, so that they wait together for tools, judges and users.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import verifiers.v1 as vf
from aiohttp import ClientSession, ClientTimeout, web
from pydantic import BaseModel, ValidationError
from verifiers.v1.clients import EvalClientConfig, ModelContext
from verifiers.v1.clients.client import SESSION_ID_HEADER
from verifiers.v1.configs.client import BaseClientConfig, resolve_api_key
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.harnesses.null import NullHarness
from verifiers.v1.harnesses.utils.mcp import call_mcp, connect_mcp
from verifiers.v1.runtimes import ProgramResult
from verifiers.v1.utils.loaders import default_harness_id, env_config_type, load_environment, taskset_config_type

from backsight.environments.openai_chat import Outcome, Reply, Turn
from backsight.errors import ConfigError, describe, nearest

__all__ = ["PolicyHarness"]  # where verifiers looks for a harness

HARNESS = "backsight"
"""Name of the harness among those of verifiers."""
NO_ROOM = "context_length_exceeded"
"""Code of the refusal of a request whose prompt leaves no room for an answer."""

sys.modules[f"verifiers.v1.harnesses.{HARNESS}"] = sys.modules[__name__]


@dataclass(slots=True)
class Play:
    """An episode that is being played."""

    asked: asyncio.Queue[tuple[Turn, asyncio.Future[Reply | None]]] = field(default_factory=asyncio.Queue)
    open: asyncio.Future[Reply | None] | None = None
    """Where the reply to the newest turn goes."""
    episode: asyncio.Task[vf.Episode] | None = None

    async def ask(self, turn: Turn) -> Reply | None:
        answer: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait((turn, answer))
        return await answer

    async def next(self) -> Turn | Outcome:
        """Return the next turn of the policy; once there is none, the outcome."""
        assert self.episode is not None
        asked = asyncio.ensure_future(self.asked.get())
        try:
            await asyncio.wait({asked, self.episode}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                return _outcome(self.episode.result())
            turn, self.open = asked.result()
            return turn
        except asyncio.CancelledError:
            self.episode.cancel()
            raise
        finally:
            asked.cancel()

    async def leave(self) -> None:
        """End the episode before its end."""
        assert self.episode is not None
        self.episode.cancel()
        await asyncio.wait({self.episode})

    async def reply(self, reply: Reply | None) -> Turn | Outcome:
        """Answer the newest turn, None: there is no room for an answer. Return what follows."""
        assert self.open is not None
        if not self.open.done():
            self.open.set_result(reply)
        return await self.next()


class World:
    """An environment and all that serves it, to be used in one event loop. It is served until the loop ends."""

    def __init__(self, env: vf.Env[Any]) -> None:
        self.env = env
        self.plays: dict[str, Play] = {}
        self.path = f"/{secrets.token_urlsafe(16)}/v1"
        self.serving: asyncio.Task[None] | None = None

    async def begin(self, task: vf.Task[Any, Any, Any]) -> tuple[Play, Turn | Outcome]:
        """Begin an episode, and return it with the first turn."""
        if self.serving is None:
            self.context: asyncio.Future[ModelContext] = asyncio.get_running_loop().create_future()
            self.serving = asyncio.create_task(self._serve())
        context = await asyncio.shield(self.context)
        play, traces = Play(), list[str]()

        def minted(trace: vf.Trace) -> None:
            traces.append(trace.id)
            self.plays[trace.id] = play

        def over(episode: object) -> None:
            for trace in traces:
                del self.plays[trace]
            if play.open is not None:
                play.open.cancel()

        play.episode = asyncio.create_task(self.env.run_episode(task, context, on_trace=minted))
        play.episode.add_done_callback(over)
        return play, await play.next()

    async def _serve(self) -> None:
        """Serve the environment and the model, until this is cancelled."""
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.env.serving())
                app = web.Application(client_max_size=0)  # no limit
                app.router.add_post(f"{self.path}/chat/completions", self._complete)
                runner = web.AppRunner(app, shutdown_timeout=0.1)
                stack.push_async_callback(runner.cleanup)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                url = f"http://127.0.0.1:{runner.addresses[0][1]}{self.path}"
                client = EvalClientConfig(base_url=url, api_key_var="BACKSIGHT_NO_KEY")
                self.context.set_result(ModelContext("policy", client))
                await asyncio.Event().wait()
        except Exception as error:  # whoever waits for the first episode gets it
            self.context.set_exception(error)

    async def _complete(self, request: web.Request) -> web.Response:
        play = self.plays.get(request.headers.get(SESSION_ID_HEADER, ""))
        if play is None:
            return web.json_response({"error": {"message": "no such episode"}}, status=404)
        body = await request.json()
        reply = await play.ask(Turn(body["messages"], body.get("tools") or ()))
        if reply is None:
            error = {"message": f"{NO_ROOM}: the prompt leaves no room for an answer", "code": NO_ROOM}
            return web.json_response({"error": error}, status=400)
        message = {"role": "assistant", "content": reply.text} | ({"tool_calls": reply.calls} if reply.calls else {})
        reason = "length" if reply.is_cut else "tool_calls" if reply.calls else "stop"
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return web.json_response(
            {
                "id": "0",
                "object": "chat.completion",
                "created": 0,
                "model": "policy",
                "choices": [choice],
                "usage": usage,
            }
        )


class PolicyHarness(NullHarness):  # type: ignore[misc]  # it has no types where verifiers is not installed
    """A chat loop in this process: it asks the model, calls tools, and ends with an answer that calls none."""

    async def setup(self, runtime: vf.Runtime) -> None:
        """Prepare nothing: there is no program."""

    async def launch(
        self,
        ctx: ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
        tool_interception_url: str | None = None,
    ) -> ProgramResult:
        """Play one segment of a rollout."""
        system, prompt = self.resolve_prompt(data)
        said = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else map(message_to_wire, prompt or ())
        messages = [*([{"role": "system", "content": system}] if system else []), *said]
        places = {name: {"url": url, "timeout": self.config.tool_timeout} for name, url in mcp_urls.items()}
        headers = {"Authorization": f"Bearer {secret}"}
        async with AsyncExitStack() as stack:
            tools, dispatch, servers = await connect_mcp({"mcpServers": places}, stack)
            http = await stack.enter_async_context(ClientSession(headers=headers, timeout=ClientTimeout(total=None)))
            while True:
                body = {"model": ctx.model, "messages": messages} | ({"tools": tools} if tools else {})
                async with http.post(f"{endpoint}/chat/completions", json=body) as response:
                    if response.status != 200:
                        refusal = await response.text()
                        return ProgramResult(exit_code=0 if NO_ROOM in refusal else 1, stdout="", stderr=refusal)
                    message = (await response.json())["choices"][0]["message"]
                messages.append(message)
                for call in message.get("tool_calls") or ():
                    denied = await _denied(http, tool_interception_url, call)
                    messages.append(denied or await _called(call, dispatch, servers))
                if not message.get("tool_calls"):
                    return ProgramResult(exit_code=0, stdout="", stderr="")


async def _called(call: Mapping[str, Any], dispatch: Any, servers: Any) -> dict[str, Any]:
    """Return the message with what a tool answered, or with what is wrong with the call."""
    name, said = call["function"]["name"], call["function"]["arguments"]
    try:
        arguments = json.loads(said or "{}")
    except ValueError as error:
        content: Any = f"error: invalid JSON in tool arguments ({error})"
    else:
        if not isinstance(arguments, dict):
            content = "error: tool arguments must be a JSON object"
        elif name not in dispatch:
            content = f"error: unknown tool {name!r}"
        else:
            content = await call_mcp(servers, dispatch, name, arguments)
    return {"role": "tool", "tool_call_id": call["id"], "name": name, "content": content}


async def _denied(http: ClientSession, gate: str | None, call: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the message that stands for a call which a hook of the environment denies; None when it may be made."""
    if gate is None:
        return None
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except ValueError:
        arguments = function["arguments"]
    asked = {"tool_call_id": call["id"], "name": function["name"], "arguments": arguments}
    async with http.post(gate, json=asked) as response:
        response.raise_for_status()
        decision = await response.json()
    if decision["action"] == "stop":
        raise RuntimeError(decision["reason"])
    return decision["message"] if decision["action"] == "deny" else None


def _outcome(episode: vf.Episode) -> Outcome:
    """Return what came of an episode of one agent, whose last trace counts."""
    trace = episode.traces[-1] if episode.traces else None
    failed = [*episode.errors, *(() if trace is None or trace.ok else trace.errors)]
    if trace is None or failed:
        error = f"raised {failed[-1].type}: {failed[-1].message}" if failed else "ran no agent"
        return Outcome(0.0, {}, None, False, error)
    rewards = {name: each.score for name, each in trace.rewards.items() if each is not None}
    metrics = {name: value for name, value in trace.metrics.items() if value is not None}
    named = {(f"metric/{name}" if name in rewards else name): value for name, value in metrics.items()}
    return Outcome(trace.reward, rewards | named, trace.stop_condition, trace.is_truncated, None)


def open_environment(name: str, options: Mapping[str, Any], max_turns: int) -> vf.Env[Any]:
    """Make an environment of this name, with settings of its taskset.

    Raises:
        ConfigError: when it is unknown, does not load, needs a key, or is not for one agent that chats.
    """
    field = f"verifiers:{name}"
    try:
        seats = _seats(name)
        known = taskset_config_type(name)
    except ModuleNotFoundError as error:
        missing = str(getattr(error.__cause__, "name", None) or error.name)
        if missing.partition(".")[0] not in name.replace("-", "_").lower():
            raise ConfigError(field, f"needs the package {missing}", "install it") from error
        raise ConfigError("task", field, "unknown; pip install the package that holds it, under this name") from error
    except (TypeError, AttributeError) as error:
        remedy = f"has no Taskset in __all__, as of verifiers 0.4 ({error}); port it, or choose another"
        raise ConfigError("task", field, remedy) from error
    except Exception as error:  # a package's code may raise anything
        raise ConfigError("task", field, f"does not load: it {describe(error)}; mend it") from error
    if len(seats) != 1:
        remedy = f"is played by {len(seats)} agents ({', '.join(seats)}); choose one that a single agent plays"
        raise ConfigError("task", field, remedy)
    for option in options:
        if option.partition(".")[0] not in known.model_fields:
            raise ConfigError(f"{field}, option", option, f"unknown; {nearest(option, known.model_fields)}")
    seat = {"harness": {"id": HARNESS}, "runtime": {"type": "subprocess"}, "max_turns": max_turns}
    try:
        config = env_config_type(name).model_validate({"taskset": {**_nested(options), "id": name}, seats[0]: seat})
        env = load_environment(config)
    except ValidationError as error:
        what = error.errors()[0]
        place = ".".join(map(str, what["loc"][1:])) or "its settings"
        raise ConfigError(f"{field}, {place}", what.get("input"), what["msg"]) from error
    except Exception as error:
        raise ConfigError("task", field, f"does not load: it {describe(error)}; mend it") from error
    _check(field, name, env)
    return env


def _seats(name: str) -> list[str]:
    fields = env_config_type(name).model_fields
    return [seat for seat, known in fields.items() if isinstance(known.default, vf.AgentConfig)]


def _nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with dots in their names as dictionaries within dictionaries."""
    nested: dict[str, Any] = {}
    for name, value in options.items():
        *path, last = name.split(".")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nested


def _check(field: str, name: str, env: vf.Env[Any]) -> None:
    """Check that an environment can be played here, with its judges.

    Raises:
        ConfigError: when it cannot.
    """
    if type(env.taskset).task_type().NEEDS_CONTAINER:
        raise ConfigError("task", field, "runs its tasks in a container; choose one that does not")
    if default_harness_id(name) == name:
        raise ConfigError("task", field, "brings a program that plays; choose one that any agent can play")
    for client in _clients(env.taskset.config):
        is_remote = urlsplit(client.base_url).hostname not in ("127.0.0.1", "localhost", "::1")
        if is_remote and resolve_api_key(client) == "EMPTY":
            variable = client.api_key_var
            remedy = f"asks a model at {client.base_url}, and {variable} holds no key; set that variable"
            raise ConfigError("task", field, remedy)


def _clients(config: Any) -> list[BaseClientConfig]:
    """Return the settings of models that stand somewhere in a configuration: judges, above all."""
    if isinstance(config, BaseClientConfig):
        return [config]
    parts = dict(config).values() if isinstance(config, BaseModel) else config if isinstance(config, list) else ()
    return [client for part in parts for client in _clients(part)]
