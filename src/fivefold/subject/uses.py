"""Uses: what a check asks for by name in its pack, resolved by whoever drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract import registry

if TYPE_CHECKING:
    from fivefold.contract.registry import CheckSpec


def handed(spec: CheckSpec) -> dict[str, object]:
    """Return name to object: a check's function, or what a pack provides under that name.

    Raises:
        KeyError: No pack knows the name.
        ImportError: An engine that it needs is not installed.
    """
    known = registry.checks()
    return {name: registry.resolve(name) if name in known else registry.provided(name) for name in spec.uses}
