"""Endpoint: a model behind the Open Inference Protocol v2, over REST or gRPC."""

from __future__ import annotations


def describe(url: str) -> str:
    """Return what an endpoint says of itself; see :func:`fivefold.subject.endpoint.about.describe`.

    Raises:
        InputError: ``endpoint.url``, or its host may not be spoken to.
        SubjectError: It does not answer, or with something else.
    """
    try:
        from fivefold.subject.endpoint import about
    except ImportError:
        from fivefold.errors import UnsupportedError

        raise UnsupportedError("endpoint.extra", "asking it needs the extra `assess`.") from None
    return about.describe(url)
