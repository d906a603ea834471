"""Joint: the declared federation, handed by name to checks of other rooms (``uses``) that train something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.sharing.federated import learner
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import Rows, update

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table


class Joint:
    """Federated averaging of a softmax model as ``controls.S3`` declares it: quantisation, noise, robust way.

    Attributes:
        clients: How many train together.
        data: Data set that they hold.
    """

    def __init__(self, context: Context) -> None:
        """Read the control.

        Raises:
            UnsupportedError: As :func:`fivefold.sharing.federated.declared.declared`.
        """
        self._told = declared(context)
        self.clients, self.data = self._told.clients, self._told.data

    def owners(self, table: Table, rng: np.random.Generator) -> np.ndarray:
        """Return (n,) the client that holds each row: by the declared column, or dealt out evenly."""
        told = self._told
        if not told.by:
            return np.asarray(rng.permutation(len(table)) % told.clients)
        codes = pd.factorize(table.column(told.by), use_na_sentinel=False)[0]
        return np.asarray(codes % told.clients)

    def together(
        self, x: np.ndarray, y: np.ndarray, owner: np.ndarray, classes: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return (w, k) weights that the clients learn together; nobody sees another's rows.

        Args:
            x: (n, w) float64, the last column 1; squares of a row add up to about 20 at most.
            y: (n,) class indices.
            owner: (n,) client of each row.
            classes: k.
            rng: Deals clients into cohorts, draws noise.

        Raises:
            InputError: ``federated.clipped``, ``federated.robust``.
        """
        return learner.train(Rows(x, y, owner, x[:0], y[:0], classes), self._told, rng)

    def apart(self, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
        """Return (w, k) weights of the same training of these rows alone, in as many steps."""
        return update(np.zeros((x.shape[1], classes)), x, y, learner.LOCAL_STEPS * self._told.rounds)
