"""The Hugging Face hub: a repository's wanted files as a local directory, or one sentence that says how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitequiv.encoders.checkpoints.quiet import quiet, reason
from vitequiv.errors import ModelError


def snapshot(repo: str, patterns: Sequence[str], spec: str) -> Path:
    """Bring files of a hub repository here, or find them in the cache.

    One request decides whether the hub can be reached; it is not retried (`hf_hub_download` retries for 23 s a file),
    and without a network, or with HF_HUB_OFFLINE=1, the cached files serve.

    Args:
        repo: The repository's name, `owner/name` or `name`.
        patterns: Shell patterns of the files wanted.
        spec: The encoder spec, for the message.

    Returns:
        The directory with the files; it may lack some of those wanted.

    Raises:
        ModelError: If the repository does not exist, is closed to us, or neither hub nor cache has it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        with quiet():
            return Path(snapshot_download(repo, allow_patterns=list(patterns)))
    except GatedRepoError:
        raise ModelError(
            f"The hub repository {repo} of {spec} is gated: accept its terms on huggingface.co and run 'hf auth login'."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"The hub has no repository {repo} (or it is private), and no directory has this name: check {spec}."
        ) from None
    except HFValidationError:
        raise ModelError(f"{repo!r} is neither a directory nor a hub name OWNER/NAME: check {spec}.") from None
    except Exception as error:  # whatever the HTTP library of the day raises
        raise ModelError(unreachable(spec, error)) from error


def unreachable(spec: str, error: BaseException) -> str:
    """Word the error for weights that are neither here nor to be had.

    Args:
        spec: The encoder spec.
        error: What the network said.

    Returns:
        The sentence, which names the three ways on.
    """
    family = spec.partition(":")[0]
    return (
        f"The weights of {spec} are not on this machine and the hub cannot be reached ({_short(error)}): "
        f"name a local directory ({family}:DIR), point HF_HOME at a filled cache, or use the embedded model tiny-clip."
    )


def _short(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return reason(error).partition(". ")[0].rstrip(".")
