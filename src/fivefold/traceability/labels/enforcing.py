"""Enforcing: whether data may be used for a purpose in a region, by their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.errors import TrustError
from fivefold.evidence import data_label
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.manifest.digests import data_digests
from fivefold.traceability.labels.strictest import within, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest


@dataclass(frozen=True)
class Use:
    """What data are used for, and where they and what is made of them go.

    Attributes:
        purposes: Words that the labels' purposes must hold.
        regions: Where they are read, and where answers and releases go.
    """

    purposes: tuple[str, ...]
    regions: tuple[str, ...]


def use_of(control: Mapping[str, Any], shared: Iterable[str] = ()) -> Use:
    """Return the use that a control T1 declares.

    Args:
        control: ``purposes``, ``region``, ``serves``, ``recipients``.
        shared: Parties to whom a release goes; one whose region is not declared is nowhere that a label allows.
    """
    recipients = control.get("recipients") or {}
    regions = [*words(control.get("region")), *words(control.get("serves"))]
    regions += [str(recipients.get(party) or f"unknown region of {party}") for party in shared]
    return Use(words(control.get("purposes")), tuple(dict.fromkeys(regions)))


@dataclass(frozen=True)
class Found:
    """Labels as they were found.

    Attributes:
        labels: Data set to the stored bytes of its label.
        digests: Data set to the SHA-256 of its bytes.
        declared: Data set to what the manifest says, its source among it.
    """

    labels: Mapping[str, bytes]
    digests: Mapping[str, str]
    declared: Mapping[str, Mapping[str, Any]]


def refusals(found: Found, use: Use, trust: Trust, now: str) -> dict[str, TrustError]:
    """Return the data sets that may not be used so, with the reason: their label does not hold, or does not allow it.

    Threat: as :func:`require_use`.
    Limit: as :func:`require_use`.
    """
    refused = {}
    for name, digest in found.digests.items():
        try:
            label = data_label.verify(
                found.labels.get(name, b""), name, digest, declared=found.declared.get(name, {}), trust=trust, now=now
            )
            require_use(label.fields, use.purposes, use.regions, where=f"data.{name}")
        except TrustError as error:
            refused[name] = error
    return refused


def enforce(manifest: Manifest, what: str, names: Iterable[str] = ()) -> None:
    """Refuse a use of an application's data that their labels do not allow; with no control T1 nothing is asked.

    Args:
        manifest: The application.
        what: For example ``data release``; a release also goes to the parties of the declared sharing paths.
        names: The data sets that are used; none: all.

    Raises:
        TrustError: ``label.purpose``, ``label.region``, or why a label does not hold.
    """
    if "T1" not in manifest.controls:
        return
    chosen = list(names) or list(manifest.data)
    digests = data_digests(manifest)
    parties = [path.to for path in manifest.sharing if path.what == "release" and path.data in chosen and path.to]
    use = use_of(data_label.controls(manifest)["T1"], parties if what == "data release" else ())
    found = Found(
        data_label.stored(manifest),
        {name: digests[name] for name in chosen},
        {name: {**manifest.data[name].label, "source": manifest.data[name].source} for name in chosen},
    )
    for name, error in refusals(found, use, trust_file.read(store.read_trust()), store.utc_now()).items():
        raise TrustError(error.code, f"{what} is refused: {error.message}", where=f"data.{name}", remedy=error.remedy)


def require_use(fields: Mapping[str, Any], purposes: Iterable[str], regions: Iterable[str], *, where: str) -> None:
    """Check that every purpose and region of a use is one that a label allows.

    Threat: data are read, shared or answered from for something, or somewhere, that their steward never agreed to.
    Limit: the user states purpose and region; whether that is true is not seen here.

    Args:
        fields: Of the label; a field that is not there allows nothing.
        purposes: Of the use; none: nothing is asked.
        regions: Where the use is, and where its results go; none: nothing is asked.
        where: What is used, for the message.

    Raises:
        TrustError: ``label.purpose``, ``label.region``.
    """
    allowed = words(fields.get("purpose"))
    for purpose in purposes:
        if purpose not in allowed:
            told = ", ".join(allowed) or "nothing"
            raise TrustError(
                "label.purpose", f"the label allows {told[:120]}, not {purpose[:60]!r}.", where=where,
                remedy="Use other data, or have the steward decide: fivefold data label --declassify REASON.",
            )  # fmt: skip
    places = words(fields.get("region"))
    for region in regions:
        if not within(region, places):
            told = ", ".join(places) or "nowhere"
            raise TrustError(
                "label.region", f"the data must stay in {told[:120]}, which {region[:60]!r} is not.", where=where,
                remedy="Keep them there, or have the steward decide: fivefold data label --declassify REASON.",
            )  # fmt: skip
