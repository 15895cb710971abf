"""The one HTTP call of this package: to chat completions, batches and translation alike, with limits of size, time and reach.

A server is a stranger. It may send a byte every half second, a body without end, JSON nested a thousand deep, or a redirect that
would carry question and answer to another host.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import Any
from urllib.parse import urlsplit

import openai

from lensbench.errors import UnavailableError, UsageError
from lensbench.grading.judge.registry import Judge, shown_url
from lensbench.jsonio import JsonObject, parse_json

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_REPLY_BYTES",
    "Redirected",
    "TooLarge",
    "api_key",
    "cause_of",
    "hidden",
    "open_client",
    "parse_reply",
]

MAX_REPLY_BYTES = 2**24
"""Of one chat completion: 16 MiB; the longest verdicts take some kilobytes."""
MAX_FILE_BYTES = 2**29
"""Largest size of a batch's results."""
_MOST_REDIRECTS = 4
_SHORTEST_SECRET = 6
"""Shorter values are not looked for in texts: "1" or "none" stand everywhere."""


class TooLarge(openai.APIConnectionError):
    """A reply of more bytes than are read."""

    def __init__(self, most: int, request: Any) -> None:
        super().__init__(message=f"more than {most} bytes", request=request)


class Redirected(openai.APIConnectionError):
    """The server names another address; it is not followed."""

    def __init__(self, status: int, target: str, request: Any) -> None:
        super().__init__(message=f"{status}, a redirect to {target}", request=request)
        self.target = target


def cause_of(error: BaseException) -> BaseException:
    """What lies behind an error of the client: one of ours as it is, else what it was raised from."""
    return error if isinstance(error, TooLarge | Redirected) else error.__cause__ or error


class _BoundedClient(openai.DefaultAsyncHttpxClient):
    """Reads every response to its end before it hands it on, under one limit of seconds and one of bytes."""

    def __init__(self, judge: Judge, total_seconds: float, max_bytes: int) -> None:
        super().__init__(timeout=total_seconds, follow_redirects=False)
        self._judge, self._total_seconds, self._max_bytes = judge, total_seconds, max_bytes

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        options["follow_redirects"] = False
        try:
            async with asyncio.timeout(self._total_seconds):
                for _ in range(_MOST_REDIRECTS):
                    response = await super().send(request, stream=True, **options)
                    try:
                        following = self._same_host(response, request)
                        if following is None:
                            return await self._whole(response, request)
                        request = following
                    finally:
                        await response.aclose()
                raise Redirected(response.status_code, _host("", str(request.url)), request)
        except TimeoutError:
            # The client's own kind of error: httpx before version 3 of the client, httpx2 since.
            library = sys.modules[type(request).__module__.partition(".")[0]]
            raise library.ReadTimeout(f"not whole after {self._total_seconds:g} s", request=request) from None

    def _same_host(self, response: Any, request: Any) -> Any:
        """The request again, at the address on the same host that the response names; None where it names none."""
        if response.status_code not in (307, 308):
            return None
        try:
            target = request.url.join(response.headers.get("location", ""))
        except Exception:
            # The client's own error for an address that is none; its class depends on the client's version.
            return None
        if (target.scheme, target.host, target.port) != (request.url.scheme, request.url.host, request.url.port):
            return None
        return self.build_request(request.method, target, headers=request.headers, content=request.content)

    async def _whole(self, response: Any, request: Any) -> Any:
        if response.is_redirect or 300 <= response.status_code < 400:
            target = _host(response.headers.get("location", ""), str(request.url))
            raise Redirected(response.status_code, target, request)
        parts, size = [], 0
        # Decoded bytes: a compressed body of a few kilobytes may stand for gigabytes.
        async for part in response.aiter_bytes(65536):
            size += len(part)
            if size > self._max_bytes:
                raise TooLarge(self._max_bytes, request)
            parts.append(part)
        content = b"".join(parts)
        for secret in secrets(self._judge):
            content = content.replace(secret.encode(), b"(hidden)")
        dropped = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in dropped]
        return type(response)(response.status_code, headers=headers, content=content, request=request)


def open_client(judge: Judge, *, total_seconds: float | None = None, max_bytes: int = MAX_REPLY_BYTES) -> Any:
    """The provider's client for a judge, inside the event loop that uses it; it retries nothing by itself.

    Args:
        total_seconds: From the first byte sent to the last received; the judge's own `timeout_seconds` where None.

    Raises:
        UnavailableError: no key.
        UsageError: the address cannot be one.
    """
    endpoint = judge.file.endpoint
    seconds = total_seconds or endpoint.timeout_seconds
    common: JsonObject = {
        "api_key": api_key(judge),
        "max_retries": 0,
        "timeout": seconds,
        "http_client": _BoundedClient(judge, seconds, max_bytes),
        "default_headers": extra_headers(judge),
    }
    try:
        if endpoint.api_version is not None:
            return openai.AsyncAzureOpenAI(azure_endpoint=judge.base_url or "", api_version=endpoint.api_version, **common)
        return openai.AsyncOpenAI(base_url=judge.base_url, **common)
    except (openai.OpenAIError, ValueError) as error:
        raise UsageError(f"judge '{judge.name}' cannot be asked: {hidden(judge, str(error))}", "Check its endpoint.") from None


def parse_reply(judge: Judge, text: str) -> Any:
    """The JSON of a reply.

    Raises:
        DataError: no JSON, or nested deeper than anything here is.
    """
    return parse_json(text, f"the reply of {shown_url(judge.base_url)}")


def api_key(judge: Judge) -> str:
    """The key, from the environment.

    Raises:
        UnavailableError: it is not there and the judge needs one, or no header can carry it.
    """
    endpoint = judge.file.endpoint
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key.isascii() or not key.isprintable():
        raise UnavailableError(
            f"the environment variable {endpoint.key_env} holds characters that no key has", "Copy the key again."
        )
    if key:
        return key
    if endpoint.key_needed:
        raise UnavailableError(
            f"judge '{judge.name}' needs a key in the environment variable {endpoint.key_env}",
            f"export {endpoint.key_env}=... ; or ``replay=FILE`` judges from stored verdicts without one.",
        )
    return "none"


def extra_headers(judge: Judge) -> dict[str, str]:
    """The judge's `extra_headers`: header -> value of the environment variable that it names.

    Raises:
        UnavailableError: a variable is not set.
    """
    found = {}
    for header, variable in judge.file.endpoint.extra_headers.items():
        value = os.environ.get(variable, "").strip()
        if not value or not value.isascii() or not value.isprintable():
            raise UnavailableError(
                f"judge '{judge.name}' sends the header {header} with the environment variable {variable}, which is not set "
                "or holds characters that no header has",
                f"export {variable}=...",
            )
        found[header] = value
    return found


def secrets(judge: Judge) -> list[str]:
    """What may never be written: the key, values of extra headers, and what stands for a password or a key in the address."""
    endpoint = judge.file.endpoint
    found = [os.environ.get(name, "").strip() for name in (endpoint.key_env, *endpoint.extra_headers.values())]
    found += url_secrets(judge.base_url)
    return sorted({secret for secret in found if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)


def url_secrets(url: str | None) -> list[str]:
    try:
        parts = urlsplit(url or "")
        found = [parts.username or "", parts.password or ""]
    except ValueError:
        return []
    return [*found, *(value for pair in parts.query.split("&") for value in pair.split("=", 1)[1:])]


def hidden(judge: Judge, text: str) -> str:
    """A text without the judge's secrets, and without user names and passwords of any address in it."""
    for secret in secrets(judge):
        text = text.replace(secret, "(the key)")
    return re.sub(r"(?<=://)[^\s/@]{1,400}@", "", text)


def _host(location: str, asked: str) -> str:
    """Scheme and host of a redirect's target; what else stands in it may be a secret."""
    try:
        parts, own = urlsplit(location), urlsplit(asked)
        host = parts.hostname or own.hostname
        return f"{parts.scheme or own.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "an address that is none"
