"""Engine: encrypting, computing and decrypting by TenSEAL (CKKS); one ciphertext holds one number of many rows.

Because a feature of all rows lies in one ciphertext, a weighted sum costs as many products with a plain number as there
are features, however many rows there are, and needs no rotation and so no keys for rotations.

Rows are encrypted with the secret key itself, so there is no public key. What the server is given is the context
without any key, or with the one for relinearisation where ciphertexts are multiplied with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fivefold.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.sharing.ciphertext.scorer import Scorer
    from fivefold.sharing.ciphertext.settings import Settings
    from fivefold.sharing.ciphertext.trees import Term

MOST_BLOB = 64 << 20
_T = TypeVar("_T")


def library() -> Any:
    """Return TenSEAL.

    Raises:
        UnsupportedError: ``ciphertext.engine`` if it is not installed.
    """
    try:
        import tenseal
    except ImportError:
        raise UnsupportedError(
            "ciphertext.engine", "TenSEAL is not installed, which encrypts.",
            remedy="pip install 'fivefold[ciphertext]'.",
        ) from None  # fmt: skip
    return tenseal


class Keys:
    """The owner's side: holds the secret key; :meth:`secret` alone gives it away, to those who search for it."""

    def __init__(self, settings: Settings) -> None:
        """Draw a fresh key (randomness of the operating system, by SEAL).

        Raises:
            UnsupportedError: ``ciphertext.engine``.
        """
        ts = library()
        self.settings = settings
        self._lib = ts
        self._context = ts.context(
            ts.SCHEME_TYPE.CKKS, settings.degree, coeff_mod_bit_sizes=list(settings.primes),
            encryption_type=ts.ENCRYPTION_TYPE.SYMMETRIC, n_threads=1,
        )  # fmt: skip
        _switch(self._context, settings)

    def context(self, *, products: bool) -> bytes:
        """Return what the server needs: no key, or with ``products`` the one for relinearisation."""
        return bytes(self._context.serialize(
            save_public_key=False, save_secret_key=False, save_galois_keys=False, save_relin_keys=products
        ))  # fmt: skip

    def secret(self) -> bytes:
        """Return the context with the secret key, for whoever searches for pieces of it; never to be sent."""
        return bytes(self._context.serialize(
            save_public_key=False, save_secret_key=True, save_galois_keys=False, save_relin_keys=False
        ))  # fmt: skip

    def encrypt(self, values: np.ndarray) -> bytes:
        """Return one number of many rows as a ciphertext.

        Args:
            values: (n,) float64, n at most the slots.
        """
        vector = self._lib.ckks_vector(self._context, self._lib.plain_tensor(np.ascontiguousarray(values)))
        return bytes(vector.serialize())

    def encrypt_rows(self, x: np.ndarray) -> list[bytes]:
        """Return one ciphertext for each number of an encoded row.

        Args:
            x: (n, k) float64, n at most the slots.
        """
        return [self.encrypt(x[:, at]) for at in range(x.shape[1])]

    def decrypt(self, blob: bytes, rows: int) -> np.ndarray:
        """Return (rows,) float64.

        Raises:
            InputError: ``ciphertext.blob`` for what is no ciphertext of this key.
        """
        try:
            found = self._lib.ckks_vector_from(self._context, blob).decrypt()
        except (ValueError, RuntimeError) as error:
            raise _blob(error) from None
        if len(found) < rows:
            raise InputError("ciphertext.blob", f"{len(found)} numbers came back for {rows} rows.",
                             remedy="Ask a server of this version.")  # fmt: skip
        return np.array(found[:rows])


def _switch(context: Any, settings: Settings) -> None:
    context.global_scale = 2.0**settings.scale
    context.auto_rescale = settings.rescale
    context.auto_mod_switch = settings.rescale


def _blob(error: Exception) -> InputError:
    return InputError("ciphertext.blob", f"this cannot be read as encrypted data ({str(error)[:80]}).",
                      remedy="Send what a client of this version makes.")  # fmt: skip


def open_context(raw: bytes, settings: Settings | None) -> Any:
    """Return the server's context.

    Args:
        raw: As it was sent.
        settings: That were agreed upon; None: it is only looked at.

    Raises:
        InputError: ``ciphertext.key`` if it holds a secret key, which no server takes; ``ciphertext.blob``.
    """
    if len(raw) > MOST_BLOB:
        raise _blob(ValueError("too long"))
    try:
        context = library().context_from(raw, n_threads=1)
    except (ValueError, RuntimeError) as error:
        raise _blob(error) from None
    if context.is_private():
        raise InputError("ciphertext.key", "the client sent its secret key; nothing is computed with it.",
                         remedy="Send the context without keys, and draw a new key.")  # fmt: skip
    if settings is not None:
        _switch(context, settings)
    return context


def vectors(context: Any, columns: Sequence[bytes]) -> list[Any]:
    """Return ciphertexts as they were sent.

    Raises:
        InputError: ``ciphertext.blob`` for what is none, or where they hold different numbers of rows.
    """
    read = library().ckks_vector_from
    try:
        found = [read(context, blob) for blob in columns]
        sizes = {vector.size() for vector in found}
    except (ValueError, RuntimeError) as error:
        raise _blob(error) from None
    if len(sizes) > 1:
        raise InputError("ciphertext.blob", "the columns have different numbers of rows.",
                         remedy="Encrypt the same rows in each.")  # fmt: skip
    return found


def score(scorer: Scorer, columns: Sequence[Any]) -> bytes:
    """Return the scores of encrypted rows, encrypted.

    Args:
        scorer: The model.
        columns: A ciphertext for each number of an encoded row, of :func:`vectors`.

    Raises:
        InputError: ``ciphertext.blob`` for another number of columns.
    """
    if len(columns) != scorer.width:
        raise InputError("ciphertext.blob", f"{len(columns)} columns were sent for {scorer.width}.",
                         remedy="Encode rows by the scorer's own description.")  # fmt: skip
    return guarded(lambda: bytes(_scored(scorer, columns).serialize()))


def _scored(scorer: Scorer, columns: Sequence[Any]) -> Any:
    if scorer.trees:
        return _grown(*scorer.terms, columns)
    if not scorer.hidden:
        return _weighted(columns, scorer.layers[0])
    total: Any = None
    for outer, inner in zip(scorer.weights[1:], scorer.layers, strict=True):
        if outer == 0:
            continue
        # the outer weight goes into the inner ones, which saves a level: v h^2 = sign(v) (sqrt(|v|) h)^2
        one = _weighted(columns, inner * np.sqrt(abs(outer)))
        one.square_()
        signed = one if outer > 0 else -one
        total = signed if total is None else total + signed
    return total + float(scorer.weights[0])


def _grown(constant: float, terms: Sequence[Term], columns: Sequence[Any]) -> Any:
    """Return the sum of terms: in each, the two factors that took fewest levels so far are multiplied first."""
    total: Any = None
    sums: dict[tuple[int, ...], Any] = {}
    for term in terms:
        carried = _carrying(term, columns)
        waiting = [(0, at, _added(cells, columns, sums)) for at, cells in enumerate(term.sums)]
        waiting.append((1, len(waiting), carried))
        for turn in range(len(term.sums)):
            waiting.sort(key=lambda one: one[:2])
            (low, _, one), (high, _, other), *rest = waiting
            waiting = [*rest, (max(low, high) + 1, len(term.sums) + 1 + turn, one * other)]
        part = waiting[0][2]
        total = part if total is None else total + part
    return total + constant


def _added(cells: tuple[int, ...], columns: Sequence[Any], kept: dict[tuple[int, ...], Any]) -> Any:
    """Return the sum of columns, computed once."""
    if cells not in kept:
        found = columns[cells[0]]
        for at in cells[1:]:
            found = found + columns[at]
        kept[cells] = found
    return kept[cells]


def _carrying(term: Term, columns: Sequence[Any]) -> Any:
    """Return the sum of columns times values."""
    found: Any = None
    for at, value in zip(term.cells, term.carried.tolist(), strict=True):
        part = columns[at] * value
        found = part if found is None else found + part
    return found


def guarded(act: Callable[[], _T]) -> _T:
    """Return what a computation on ciphertexts gives.

    Raises:
        InputError: ``ciphertext.blob`` where the library refuses them.
    """
    try:
        return act()
    except (ValueError, RuntimeError) as error:
        raise _blob(error) from None


def _weighted(columns: Sequence[Any], weights: np.ndarray) -> Any:
    """Return the weighted sum of columns and the intercept.

    The intercept rides on the column of the largest weight, (x + b / w) w, since the library adds a plain number only
    at the scale of a fresh ciphertext.
    """
    first = int(np.argmax(np.abs(weights[1:])))
    if weights[first + 1] == 0:
        weights = weights.copy()
        weights[first + 1] = 2.0**-40
    total = (columns[first] + float(weights[0] / weights[first + 1])) * float(weights[first + 1])
    for at in np.flatnonzero(weights[1:]).tolist():
        if at != first:
            total += columns[at] * float(weights[at + 1])
    return total
