"""The source document as data: levels, claims, rows, checks, floors, aims, roles and cases, read from TOML."""

from fivefold.catalogue.load import load
from fivefold.catalogue.nouns import Catalogue

__all__ = ["Catalogue", "load"]
