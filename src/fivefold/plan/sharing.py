"""Sharing paths: those that a manifest declares, and those that the product derives from who is named in it.

Data that come from a party other than the deployer were shared with it, whether or not the manifest says so. A path
that is derived and not declared fails claim 1a; an application without any path has nothing to prove there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

COLLECTOR = "data-collector"
DEPLOYER = "deployer"


class DerivedPath(msgspec.Struct, frozen=True, kw_only=True):
    """Data that reached the deployer from somebody else.

    Attributes:
        data: Data-set name.
        source: Who they come from.
        to: The deployer; empty if the manifest names none.
        declared: Whether ``sharing:`` has a path for this data set.
    """

    data: str
    source: str
    to: str
    declared: bool

    def __str__(self) -> str:
        receiver = self.to or "a deployer that the manifest does not name"
        return f"data {self.data} from {self.source} to {receiver}"


def derived_paths(manifest: Manifest) -> tuple[DerivedPath, ...]:
    """Return the paths that follow from the sources and parties named, in data-set order.

    A data set without ``source`` comes from the party ``data-collector``, if there is one. Names are compared without
    regard to case and spaces. A source beside an unnamed deployer counts as somebody else.
    """
    deployer = manifest.parties.get(DEPLOYER, "")
    declared = {path.data for path in manifest.sharing}
    origins = {name: _origin(manifest, name) for name in manifest.data}
    return tuple(
        DerivedPath(data=name, source=source, to=deployer, declared=name in declared)
        for name, source in origins.items()
        if source and _plain(source) != _plain(deployer)
    )


def source_parties(manifest: Manifest) -> frozenset[str]:
    """Return the parties that data come from; data of unknown origin count as the deployer's."""
    deployer = manifest.parties.get(DEPLOYER, "")
    return frozenset(_plain(_origin(manifest, name) or deployer) for name in manifest.data)


def _origin(manifest: Manifest, name: str) -> str:
    return manifest.data[name].source or manifest.parties.get(COLLECTOR, "")


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
