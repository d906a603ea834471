"""Flower: what an application imports, ``masked_mod`` for its ClientApp and ``Masked`` for its ServerApp."""

from fivefold.sharing.federated.flower_client import masked_mod
from fivefold.sharing.federated.flower_server import Masked

__all__ = ["Masked", "masked_mod"]
