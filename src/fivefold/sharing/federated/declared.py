"""Declared: what ``controls: {S3: ...}`` says of a federation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.federated.robust import WAYS, need_cohorts
from fivefold.sharing.federated.terms import RoundError, Terms, agreed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

ROW = "S3"
LEAST_CLIENTS, MOST_CLIENTS = 3, 200
_RING = 24
"""Beyond so many clients masks are shared among neighbours alone, unless ``degree`` says otherwise."""
_DEGREE = 20


@dataclass(frozen=True)
class Federation:
    """What is declared.

    Attributes:
        by: Column whose values are the clients; empty: rows are dealt out evenly.
        clients: How many clients take part in a round, 3 to 200.
        masking: Whether updates are masked.
        degree: Neighbours of a client; 0: everybody.
        robust: How client updates are put together; ``mean`` is not robust.
        cohorts: How many sums the server sees in a round where updates are masked and robust.
        malicious: Share of clients that may be malicious.
        drop: Share of clients that drop out of a round.
        rounds: Of training.
        data: Data set.
        noise: Standard deviation of the noise in a sum of those who stay, in lengths of an update; 0: none.
        norm: Largest length of an update where there is noise.
        colluding: Clients who may tell their noise.
    """

    by: str
    clients: int
    masking: bool
    degree: int
    robust: str
    cohorts: int
    malicious: float
    drop: float
    rounds: int
    data: str
    noise: float = 0.0
    norm: float = 1.0
    colluding: int = 0

    def terms(self, size: int, name: str, *, noised: bool = False) -> Terms:
        """Return the terms of a round; such with the declared noise, which is enough when ``drop`` are gone, on demand.

        Raises:
            UnsupportedError: ``federated.declared``.
        """
        names = [f"client-{at:03}" for at in range(self.clients)]
        try:
            if not noised:
                return agreed(names, size, round=name, degree=self.degree)
            least = max(len(names) // 2 + 1, len(names) - round(self.drop * len(names)))
            return agreed(
                names, size, round=name, degree=self.degree, least=least, noise=self.noise, norm=self.norm,
                colluding=self.colluding,
            )  # fmt: skip
        except RoundError as error:
            raise _fault(error.message.rstrip(".")) from None


def declared(context: Context) -> Federation:
    """Read the control.

    Raises:
        UnsupportedError: ``federated.undeclared`` without it; ``federated.declared`` if it cannot be kept.
    """
    options = (context.settings.controls or {}).get(ROW)
    if not options:
        raise UnsupportedError(
            "federated.undeclared", "controls.S3 is not declared: nothing says who trains together.",
            remedy="Declare controls.S3 with `by` (a column whose values are the clients) or `clients`.",
        )  # fmt: skip
    return told(options, context)


def told(options: Mapping[str, Any], context: Context) -> Federation:
    """Read the control's options.

    Raises:
        UnsupportedError: ``federated.declared``, with the option that is wrong.
    """
    rules: dict[str, tuple[Any, type | tuple[type, ...], float, float]] = {
        "degree": (-1, int, 0, 254), "cohorts": (0, int, 0, MOST_CLIENTS), "rounds": (20, int, 1, 1000),
        "malicious": (0.2, (int, float), 0.0, 0.49), "drop": (0.1, (int, float), 0.0, 0.49),
        "clients": (0, int, 0, MOST_CLIENTS), "noise": (0.0, (int, float), 0.0, 100.0),
        "norm": (1.0, (int, float), 1e-6, 1e6), "colluding": (0, int, 0, MOST_CLIENTS),
    }  # fmt: skip
    unknown = sorted(set(options) - {*rules, "by", "masking", "robust", "data"})
    if unknown:
        raise _fault(f"there is no option {unknown[0]!r}")
    found: dict[str, Any] = {}
    for key, (default, kind, low, high) in rules.items():
        value: Any = options.get(key, default)
        fits = not isinstance(value, bool) and isinstance(value, kind)
        if not fits or (key in options and not low <= float(value) <= high):
            raise _fault(f"{key} is not a number from {low:g} to {high:g}")
        found[key] = value
    robust, masking = options.get("robust", "mean"), options.get("masking", True)
    if robust not in WAYS or not isinstance(masking, bool):
        raise _fault(f"robust is one of {', '.join(WAYS)}, and masking true or false")
    by, data = str(options.get("by", "")), str(options.get("data", "train"))
    count = found["clients"] or (_counted(by, data, context) if by else 10)
    if not LEAST_CLIENTS <= count <= MOST_CLIENTS:
        raise _fault(f"{count} clients are not {LEAST_CLIENTS} to {MOST_CLIENTS}: of two, each learns the other's")
    degree = found["degree"] if found["degree"] >= 0 else 0 if count <= _RING else _DEGREE
    found |= {"clients": count, "degree": degree}
    try:
        need_cohorts(robust, count, found["cohorts"], masking=masking)
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    if found["noise"] and (not masking or robust != "mean"):
        raise _fault("noise in shares needs masking, and `robust: mean`")
    return Federation(by=by, masking=masking, robust=robust, data=data, **found)


def _counted(by: str, data: str, context: Context) -> int:
    try:
        return min(int(context.tables(data).column(by).nunique()), MOST_CLIENTS)
    except KeyError:
        raise _fault(f"data set {data} has no column {by!r}") from None


def _fault(text: str) -> UnsupportedError:
    return UnsupportedError("federated.declared", f"controls.S3 cannot be kept: {text}.", remedy="Mend controls.S3.")
