"""The policy of a run on the Hugging Face hub: what would be uploaded, and the upload."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.disk import disk_errors
from backsight.errors import ConfigError, HubError, ModelError, reason
from backsight.policies import adapters
from backsight.policies.folder import CONFIG, GENERATION, read_object
from backsight.reports.model_card import CARD, with_address
from backsight.runs.export import Source, find_source, open_whole, save_whole

SETTINGS = (CONFIG, GENERATION, adapters.CONFIG_FILE, "tokenizer_config.json")
PATHS = ("_name_or_path", "name_or_path", adapters.BASE)
"""Fields of a model's files that may hold a path of this machine, in those with its settings."""
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN, with a token that may write"
_REMEDIES: Mapping[int, str] = {
    401: f"the hub does not know who you are; {LOG_IN}",
    403: "your token may not write there; take one with write access, or a repository of your own",
    404: "the hub has no such repository or revision, or shows it to others only; look at the name and your token",
    413: "a file is too large for the hub; `backsight export --merge --dtype bfloat16` halves it",
    429: "the hub wants fewer requests; try again in some minutes",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be uploaded, and where to."""

    repo: str
    revision: str | None
    """The branch, which is made if it is not there; None: the main one."""
    private: bool
    source: Source

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of each file."""
        return {name: (self.source.folder / name).stat().st_size for name in self.source.files}


@contextmanager
def prepare(path: str, repo: str, *, revision: str | None, private: bool, merge: bool) -> Iterator[Upload]:
    """Yield what is to be uploaded of the policy at `path`, a run folder or a model folder. Nobody is asked for it yet.

    With `merge`, a whole model is made of an adapter in a temporary folder, which is gone after the block.

    Raises:
        ConfigError: when the hub allows no repository of this name.
        RunFolderError, ModelError: when there is no policy at `path`, or it holds a path of this machine.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigError("repo", repo, "write it as OWNER/NAME, in letters, digits, '-', '_' and '.'") from error
    source = find_source(path)
    if not (merge and source.is_adapter):
        _check_no_paths(source)
        yield Upload(repo, revision, private, source)
        return
    with tempfile.TemporaryDirectory(prefix="backsight-") as place:
        with disk_errors(Path(place), "nothing was published; make room, or set TMPDIR to another place"):
            save_whole(source, open_whole(source), Path(place))
        yield Upload(repo, revision, private, Source(Path(place), None))


def _check_no_paths(source: Source) -> None:
    """Raise `ModelError` when a file names a folder of this machine: nobody else could load the policy then."""
    for file in (source.folder / name for name in SETTINGS):
        for field, value in read_object(file).items() if file.is_file() else ():
            if field in PATHS and isinstance(value, str) and (Path(value).is_absolute() or value.startswith(".")):
                way = "add --merge, or set it to an id of the hub" if field == adapters.BASE else "take it out"
                raise ModelError("policy", file, f"{field} is a path of this machine; {way}")


def publish(upload: Upload) -> str:
    """Upload a policy in one commit, in a repository that is made if it is not there, and return its address.

    Raises:
        HubError: when the hub refuses, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if get_token() is None:
        raise HubError("hub", upload.repo, f"there is no token; {LOG_IN}")
    api = HfApi()
    with _hub_errors(upload.repo), warnings.catch_warnings(action="ignore"):
        repo = api.create_repo(upload.repo, private=upload.private or None, exist_ok=True).repo_id
        if upload.private and not api.model_info(repo).private:
            raise HubError("private", repo, "exists and everybody can read it; change that on the hub, or its name")
        if upload.revision is not None:
            api.create_branch(repo, branch=upload.revision, exist_ok=True)
        api.create_commit(
            repo,
            [CommitOperationAdd(name, _contents(upload.source.folder / name, repo)) for name in upload.source.files],
            commit_message="Upload a policy trained with backsight",
            revision=upload.revision,
        )
    return f"{api.endpoint}/{repo}" + (f"/tree/{upload.revision}" if upload.revision is not None else "")


def _contents(file: Path, repo: str) -> Path | bytes:
    """Return what is uploaded for a file: itself, but for the card, whose code loads the policy from the hub there."""
    if file.name != CARD:
        return file
    return with_address(file.read_text(encoding="utf-8", errors="replace"), repo).encode()


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Turn what the hub's library throws inside the block into a `HubError`."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        raise HubError("hub", repo, _remedy(error)) from error


def _remedy(error: BaseException) -> str:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return _answer(cause)
        if isinstance(cause, OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set, so nothing is asked of the hub; take it away"
    if any(isinstance(cause, httpx2.TransportError) for cause in causes):
        return f"cannot be reached ({reason(causes[-1])}); look at your network, and at HF_ENDPOINT if it is set"
    return f"{reason(error)}; nothing was published"


def _answer(error: Any) -> str:
    status = error.response.status_code
    if status in _REMEDIES:
        return _REMEDIES[status]
    said = reason(ValueError(error.server_message)) if error.server_message else f"HTTP {status}"
    return f"the hub refuses ({said}); " + ("try again later" if status >= 500 else "nothing was published")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
