"""Failures of the hub and their meaning for the user, by the exception's class and the reply's status, never by its text."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lensbench.errors import UnavailableError
from lensbench.hub.place import endpoint, has_token, proxies
from lensbench.printable import printable

__all__ = ["PASSING", "STANDING_IN", "HubError", "fault_of", "hub_error"]

PASSING = frozenset({"rate limit", "server error", "cut off", "time-out"})
"""Faults that may be gone a moment later: asked again, a bounded number of times."""
STANDING_IN = PASSING | {"offline", "unreachable", "proxy"}
"""Faults in which files that were fetched earlier may be used; the hub has not said that they are not ours to use."""

_TEXTS: dict[str, tuple[str, str]] = {
    "gated": ("it is gated, and no token was sent", "Accept its terms at {page}, then set HF_TOKEN (or run `hf auth login`)."),
    "no access": (
        "the token that was sent has no access to it",
        "Ask for access at {page} with the account of this token, and give the token the right to read gated repositories.",
    ),
    "token refused": (
        "the hub does not accept the token: it is expired, revoked or mistyped",
        "Set HF_TOKEN to a valid one, or unset it.",
    ),
    "not there": ("the hub has no such repository, or it is private", "Check the name at {page}. A private one needs HF_TOKEN."),
    "no revision": ("the hub has the repository, not this revision", "See the branches and commits at {page}/commits/main."),
    "no file": ("the repository has no such file", "See its files at {page}/tree/main."),
    "disabled": ("the hub has disabled this repository", "See {page}."),
    "rate limit": (
        "the hub's rate limit is reached (status 429)",
        "Wait some minutes and run the same command again; what was fetched is kept. A token (HF_TOKEN) has a higher limit.",
    ),
    "server error": (
        "the hub reports an internal error (status {status})",
        "Wait and run the same command again; what was fetched is kept.",
    ),
    "refused": ("the hub refused the request (status {status})", "See {page}."),
    "proxy": ("the proxy {proxies} cannot be used", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
    "offline": (
        "HF_HUB_OFFLINE is set, and it was not fetched before",
        "Fetch it where there is a network, with the same HF_HOME: `lensbench fetch` and the options of the run. "
        "Or unset HF_HUB_OFFLINE.",
    ),
    "certificate": ("the certificate of {endpoint} is not trusted", "Set SSL_CERT_FILE to your organisation's certificates."),
    "time-out": (
        "{endpoint} did not answer in time",
        "Check the network, and run the same command again; what was fetched is kept.",
    ),
    "unreachable": (
        "{endpoint} could not be reached",
        "Check the network and HF_ENDPOINT. Without a network, set HF_HUB_OFFLINE=1 to fail immediately.",
    ),
    "cut off": ("the connection was cut before the file was complete", "Run the same command again; what was fetched is kept."),
    "disk full": ("the disk is full", "Free some space, or set HF_HOME to a larger disk."),
    "not writable": ("the cache cannot be written", "Set HF_HOME to your own folder."),
    "not a hub": (
        "{endpoint} does not answer like a hub",
        "Check HF_ENDPOINT, and whether a login page or a firewall answers in its place.",
    ),
    "bad name": ("this is not a repository name", "A hub id is OWNER/NAME."),
    "script": (
        "it is a script repository, and the hub has no parquet export of it that can be read instead",
        "Scripts never run. Import the original files with `lensbench data import`.",
    ),
}


class HubError(UnavailableError):
    """The hub did not provide a requested file or revision.

    Args:
        fault: Which of the kinds it is; a key of the table in docs/data.md.
    """

    def __init__(self, message: str, hint: str | None = None, *, fault: str) -> None:
        super().__init__(message, hint)
        self.fault = fault


def fault_of(error: BaseException) -> tuple[str, int | None]:
    """The kind of a failure, and the status of the hub's reply where there was one."""
    if isinstance(error, HubError):
        return error.fault, None
    for cause in _chain(error):
        found = _one(cause)
        if found is not None:
            return found, getattr(getattr(cause, "response", None), "status_code", None)
    return "unknown", None


def hub_error(wanted: str, error: BaseException, *, repository: str, kind: str) -> HubError:
    """The error to show.

    Args:
        wanted: What was not available, as the user named it.
        kind: "model" or "dataset".
    """
    fault, status = fault_of(error)
    page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repository}"
    if fault == "unknown":
        detail = printable((str(error).strip().splitlines() or [""])[0][:200])
        return HubError(f"could not get {wanted}: {type(error).__name__}: {detail}", f"See {page}.", fault=fault)
    reason, hint = _TEXTS[fault]
    names = {"page": page, "status": status, "endpoint": endpoint(), "proxies": ", ".join(proxies())}
    return HubError(f"could not get {wanted}: {reason.format(**names)}", hint.format(**names), fault=fault)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _one(error: BaseException) -> str | None:
    """The kind of one exception of a chain; None where it says too little, and its cause is looked at."""
    from huggingface_hub import errors

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk full"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return "not writable"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline"
    if isinstance(error, errors.GatedRepoError):
        return "no access" if has_token() else "gated"
    by_class = (
        ("DisabledRepoError", "disabled"),
        ("RevisionNotFoundError", "no revision"),
        ("RemoteEntryNotFoundError", "no file"),
        ("RepositoryNotFoundError", "not there"),
        ("FileMetadataError", "not a hub"),
        ("HFValidationError", "bad name"),
    )
    for name, fault in by_class:
        known = getattr(errors, name, None)
        if known is not None and isinstance(error, known):
            return fault
    if isinstance(error, errors.HfHubHTTPError):
        return _by_status(error.response.status_code)
    return _by_transport(error)


def _by_status(status: int) -> str:
    if status == 429:
        return "rate limit"
    if status == 407:
        return "proxy"
    if status in (408, 504):
        return "time-out"
    if status >= 500:
        return "server error"
    return {401: "token refused" if has_token() else "gated", 403: "no access" if has_token() else "gated", 404: "not there"}.get(
        status, "refused"
    )


def _by_transport(error: BaseException) -> str | None:
    """Failures below HTTP, of the client that huggingface_hub uses; its errors' base class says which package that is."""
    import importlib
    import ssl

    from huggingface_hub import errors

    if isinstance(error, ssl.SSLError):
        return "certificate"
    base = next((c for c in errors.HfHubHTTPError.__mro__ if c.__name__ == "HTTPError"), None)
    client = importlib.import_module(base.__module__.split(".")[0]) if base is not None else None
    named = (
        {cls.__name__ for cls in type(error).__mro__} if client and isinstance(error, getattr(client, "HTTPError", ())) else set()
    )
    if "ProxyError" in named:
        return "proxy"
    if "TimeoutException" in named:
        return "time-out"
    if "ConnectError" in named:
        if any(isinstance(cause, ssl.SSLError) for cause in _chain(error)):
            return "certificate"
        return "proxy" if proxies() else "unreachable"
    if named & {"NetworkError", "RemoteProtocolError"}:
        return "cut off"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "cut off"
    if type(error) is OSError and error.errno is None:
        # huggingface_hub's own check of a file's size has no class of its own.
        return "cut off"
    return "not a hub" if isinstance(error, ValueError) else None
