"""Objects: a bucket that speaks the protocol of S3, for what is written once and read seldom.

Source: Amazon S3 REST API (signature version 4), through boto3.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fivefold.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})


@dataclass(frozen=True)
class Place:
    """Where a bucket is.

    Attributes:
        url: ``https://host/bucket/prefix``.
        access: Name of the key.
        secret: The key; never shown.
        region: What the signature names.
        ca: File of the only authorities that may vouch for the server; empty: those of the system.
    """

    url: str
    access: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    ca: str = ""


class Bucket:
    """Objects below one prefix of a bucket."""

    def __init__(self, place: Place) -> None:
        """Make ready; nothing is sent before the first call.

        Raises:
            InputError: ``objects.url``; ``objects.extra`` where the driver is not installed.
        """
        try:
            parts = urlsplit(place.url)
        except ValueError:
            parts = urlsplit("")
        bucket, _, prefix = parts.path.strip("/").partition("/")
        plain = parts.scheme == "http" and parts.hostname in _LOCAL
        if not (parts.scheme == "https" or plain) or not parts.hostname or not bucket or parts.query or parts.username:
            raise InputError(
                "objects.url",
                "this is no address of a bucket, or what is sent there can be read on the way.",
                remedy="Write https://host/bucket/prefix, without keys in it.",
            )
        try:
            import boto3
            import botocore.config
            import botocore.exceptions
        except ImportError:
            raise InputError(
                "objects.extra", "the client of object storage is not installed.", remedy="pip install 'fivefold[s3]'"
            ) from None
        self._errors = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
        self._refused = botocore.exceptions.ClientError
        self.url = place.url.rstrip("/")
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        # Its own session: no profile, no metadata service, no key from the environment.
        self._client = boto3.session.Session(place.access, place.secret, region_name=place.region).client(
            "s3",
            endpoint_url=f"{parts.scheme}://{parts.netloc}",
            verify=place.ca or True,
            config=botocore.config.Config(
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "max_attempts": 3},
                connect_timeout=_SECONDS,
                read_timeout=_SECONDS,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, name: str, data: bytes) -> None:
        """Keep an object as a whole.

        Raises:
            StorageError: ``objects.refused``.
        """
        with self._told(name):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)

    def get(self, name: str, most: int) -> bytes | None:
        """Return an object's bytes; None if it is not there.

        Raises:
            StorageError: ``objects.refused``, also for one of more than ``most`` bytes.
        """
        try:
            with self._told(name):
                try:
                    found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                except self._refused as error:
                    if _code(error) in _MISSING:
                        return None
                    raise
                with contextlib.closing(found["Body"]) as body:
                    data: bytes = body.read(most + 1)
        except OSError as error:  # the connection broke while the body was read
            raise _refusal(self.url, name, type(error).__name__) from None
        if len(data) > most:
            raise _refusal(self.url, name, f"more than {most:,} bytes")
        return data

    def sizes(self, below: str = "") -> dict[str, int]:
        """Return the names below a prefix with their sizes in bytes.

        Raises:
            StorageError: ``objects.refused``.
        """
        found: dict[str, int] = {}
        with self._told(below):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + below
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    found[one["Key"].removeprefix(self._prefix)] = int(one["Size"])
        return found

    def drop(self, name: str) -> None:
        """Take an object away; nothing happens if it is not there.

        Raises:
            StorageError: ``objects.refused``.
        """
        with self._told(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise _refusal(self.url, name, _code(error) or type(error).__name__) from None


def _code(error: Any) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _refusal(url: str, name: str, why: str) -> StorageError:
    return StorageError(
        "objects.refused",
        f"the object storage refused ({why}).",
        where=f"{url}/{name}",
        remedy="Look at bucket, key and network, then try again: nothing here was removed.",
    )
