"""Queries: what a release asks, as declared: every bound, domain and limit is public and stands in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fivefold.errors import InputError
from fivefold.manifest import scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

What = Literal["count", "sum", "mean", "variance", "quantiles", "histogram", "table", "contingency", "synthetic"]
MOST_CELLS = 1 << 20
"""Most cells of one query."""
MOST_QUERIES = 256
_MOST_ROWS = 10_000
_NEED_COLUMN = frozenset({"sum", "mean", "variance", "quantiles", "histogram"})
_NEED_BOUNDS = frozenset({"sum", "mean", "variance", "quantiles"})


class Unit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose privacy is meant.

    Attributes:
        column: The column that says which person a row is of; empty: each row is a person.
        rows: Most rows of a person that are used; the first ones in the file's order.
    """

    column: str = ""
    rows: int = 1


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cells of a column, as anybody may know them; a value that is in none falls into the cell ``other``.

    Attributes:
        values: Texts or numbers.
        edges: Ascending limits of intervals [a, b), the last one closed.
    """

    values: tuple[str | int | float | bool, ...] = ()
    edges: tuple[float, ...] = ()


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question.

    Attributes:
        name: Its name in the result.
        what: What is asked.
        column: The column of numbers, or of a histogram.
        columns: Of a contingency table or synthetic rows.
        by: Of a table: the columns that make its groups. One without a domain: groups are found in the data, and
            shown above a threshold only.
        of: Of a table: what is asked of each group.
        bounds: Smallest and largest value; values beyond are moved there.
        where: Condition on rows, in the language of scenarios.
        quantiles: Of ``quantiles``.
        bins: Of ``quantiles``: a power of two.
        rows: Of ``synthetic``: how many.
        weight: Its part of the loss, against the other queries.
        noise: Its law.
    """

    name: str
    what: What
    column: str = ""
    columns: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    of: Literal["count", "sum", "mean"] = "count"
    bounds: tuple[float, float] | None = None
    where: str = ""
    quantiles: tuple[float, ...] = (0.25, 0.5, 0.75)
    bins: int = 256
    rows: int = 1000
    weight: float = 1.0
    noise: Literal["gaussian", "laplace"] = "gaussian"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the release may cost: rho, or epsilon at delta.

    Attributes:
        rho: Zero-concentrated loss.
        epsilon: Or this.
        delta: At this probability of failure; with ``rho`` the part for thresholds.
    """

    rho: float = 0.0
    epsilon: float = 0.0
    delta: float = 0.0


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of queries.

    Attributes:
        version: 1.
        data: Data set of the manifest.
        loss: What all of it costs.
        queries: At least one.
        unit: Whose privacy.
        domains: Column to its cells.
        confidence: Of the intervals.
        engine: Who makes the noise; ``opendp`` is an extra, and knows no groups that are found in the data.
    """

    version: int = 1
    loss: Cost
    queries: tuple[Query, ...]
    data: str = "train"
    unit: Unit = Unit()
    domains: dict[str, Domain] = {}
    confidence: float = 0.95
    engine: Literal["fivefold", "opendp"] = "fivefold"

    def columns(self) -> tuple[str, ...]:
        """Return the columns that are read, each once."""
        named = [self.unit.column]
        for query in self.queries:
            named += [query.column, *query.columns, *query.by]
            named += sorted(scenario.columns(scenario.parse(query.where))) if query.where else []
        return tuple(dict.fromkeys(name for name in named if name))


def read(told: Mapping[str, Any], where: str = "") -> Release:
    """Check a release as it was written.

    Args:
        told: What YAML holds.
        where: Its file, for messages.

    Raises:
        InputError: ``privacy.query``, with the field.
    """
    try:
        made = msgspec.convert(dict(told), Release, strict=True)
    except msgspec.ValidationError as error:
        raise _refused(f"{error}", where) from None
    fault = next(_faults(made), "") if 0 < len(made.queries) <= MOST_QUERIES else "it asks nothing, or too much."
    if fault:
        raise _refused(fault, where)
    return made


def _refused(fault: str, where: str) -> InputError:
    return InputError("privacy.query", f"the release cannot be asked: {fault}", where=where,
                      remedy="See the page on releases for what each query needs.")  # fmt: skip


def _faults(release: Release) -> Any:
    if release.version != 1:
        yield f"this version reads version: 1, not {release.version}."
    if bool(release.loss.rho) == bool(release.loss.epsilon):
        yield "loss: needs either rho, or epsilon and delta."
    if min(release.loss.rho, release.loss.epsilon, release.loss.delta) < 0 or release.loss.delta >= 1:
        yield "loss: is no loss."
    if release.loss.epsilon and not release.loss.delta:
        yield "loss: needs a delta beside epsilon, for example 1e-6."
    if not 1 <= release.unit.rows <= _MOST_ROWS or (not release.unit.column and release.unit.rows != 1):
        yield f"unit.rows: 1 to {_MOST_ROWS}, and 1 where each row is a person."
    if not 0.5 <= release.confidence < 1:
        yield "confidence: from 0.5 to below 1."
    for name, domain in release.domains.items():
        yield from (f"domains.{name}: {fault}" for fault in _domain_faults(domain))
    names = [query.name for query in release.queries]
    if len(set(names)) < len(names) or not all(names):
        yield "each query needs a name of its own."
    for query in release.queries:
        yield from (f"{query.name}: {fault}" for fault in _query_faults(query, release))


def _domain_faults(domain: Domain) -> Any:
    if bool(domain.values) == bool(domain.edges):
        yield "needs either values or edges."
    if len(set(map(str, domain.values))) < len(domain.values):
        yield "names a value twice."
    if domain.edges and (
        len(domain.edges) < 2 or any(a >= b for a, b in zip(domain.edges, domain.edges[1:], strict=False))
    ):
        yield "edges ascend, at least two of them."


def _query_faults(query: Query, release: Release) -> Any:
    yield from _number_faults(query)
    asked = {"contingency": query.columns, "synthetic": query.columns, "histogram": (query.column,)}.get(query.what, ())
    if query.what in ("contingency", "synthetic") and (len(asked) < 2 or len(set(asked)) < len(asked)):
        yield "columns: at least two, each once."
    for name in asked:
        if name and name not in release.domains:
            yield f"{name} needs a domain, under domains:."
    if query.what == "table":
        yield from _table_faults(query, release)
    if query.where:
        yield from _where_faults(query.where)


def _table_faults(query: Query, release: Release) -> Any:
    if not query.by or len(set(query.by)) < len(query.by):
        yield "by: at least one column, each once."
    if all(name in release.domains for name in query.by):
        return
    if release.engine != "fivefold":
        yield "groups that are found in the data are released with engine: fivefold; or give their columns domains."
    if query.of != "count":
        yield "of groups that are found in the data only counts are released; give their columns domains."
    if not release.loss.delta:
        yield "groups that are found in the data need a delta."
    if query.noise != "gaussian":
        yield "groups that are found in the data take gaussian noise."


def _where_faults(where: str) -> Any:
    try:
        tests = list(_tests(scenario.parse(where)))
    except InputError as error:
        yield f"where: {error.message}"
        return
    if any(isinstance(value, bool) for test in tests for value in test.against):
        yield 'where: compare with a text such as "true", not with true or false.'


def _tests(expression: scenario.Expression) -> Any:
    if isinstance(expression, scenario.Test):
        yield expression
        return
    for part in (expression.inner,) if isinstance(expression, scenario.Not) else expression.parts:
        yield from _tests(part)


def _number_faults(query: Query) -> Any:
    if query.what in _NEED_COLUMN and not query.column:
        yield "needs a column."
    needs = query.what in _NEED_BOUNDS or (query.what == "table" and query.of != "count")
    if needs and query.bounds is None:
        yield "needs bounds, which anybody may know; they are never read from the data."
    if query.bounds is not None and not query.bounds[0] < query.bounds[1]:
        yield "bounds: the smaller one first."
    if query.what == "table" and query.of != "count" and not query.column:
        yield "needs a column."
    if query.what == "quantiles" and (not 8 <= query.bins <= 1 << 14 or query.bins & (query.bins - 1)):
        yield "bins: a power of two, 8 to 16384."
    if not query.quantiles or not all(0 < q < 1 for q in query.quantiles):
        yield "quantiles: between 0 and 1."
    if not 0.01 <= query.weight <= 100:
        yield "weight: 0.01 to 100."
    if not 1 <= query.rows <= 10**6:
        yield "rows: 1 to 1000000."
