"""Setting: the ensemble, the rows it is calibrated and measured on, and the attacker; shared by the checks of C2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from fivefold.adaptation.ensemble import detector
from fivefold.adaptation.ensemble.members import FEWEST_ROWS
from fivefold.adaptation.ensemble.options import Options, read
from fivefold.errors import UnsupportedError
from fivefold.subject.rows import of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fivefold.adaptation.ensemble.detector import Ensemble, Judged
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

ATTACK = "attack.rows"
"""Name under which attacks are handed in."""
TRAIN_ROWS, CALIBRATION_ROWS, CLEAN_ROWS = 10_000, 5000, 10_000
PUBLIC_ROWS = 800
_SHARE = 0.5
_ATTACK_SHARE = 1 / 6


class Struck(Protocol):
    """What an attacker made of n rows: the rows, (n,) whether each fell, and how many questions he asked."""

    rows: Table
    fell: np.ndarray
    asked: int


class Attacker(Protocol):
    """Somebody who changes rows within what is possible, and sees answers alone."""

    def labels(
        self,
        answer: Callable[[Table, np.ndarray], np.ndarray],
        rows: Table,
        public: Table,
        *,
        epsilon: float,
        queries: int,
        rng: np.random.Generator,
        minimal: bool = True,
        calls: int | None = None,
        call_rows: int = 50_000,
    ) -> Struck:
        """Change rows until ``answer`` (changed rows, and which row each was made of) says another class."""
        ...


class Attackers(Protocol):
    """Makes an attacker who has seen tables and what the manifest declares of features."""

    def __call__(self, seen: Sequence[Table], declared: Mapping[str, Mapping[str, object]]) -> Attacker:
        """Make one."""
        ...


@dataclass(frozen=True)
class Setting:
    """Everything that the checks of C2 need.

    Attributes:
        subject: The model.
        options: As declared; None: no ensemble is.
        ensemble: Calibrated; None: none is declared.
        clean: Test rows that nothing was calibrated on.
        clean_answers: (n,) the model's answers to them.
        clean_scores: (n, K) its probabilities; None: it gives none.
        calibration: Rows of the calibration.
        train: Training rows, for members and attacker.
        notes: What the reader should know.
    """

    subject: Subject
    options: Options | None
    ensemble: Ensemble | None
    clean: Table
    clean_answers: np.ndarray
    clean_scores: np.ndarray | None
    calibration: Table
    train: Table
    notes: tuple[str, ...]

    def judge(self, table: Table) -> tuple[np.ndarray, Judged | None]:
        """Return the model's (n,) answers to rows and what the ensemble finds; None: there is no ensemble."""
        answers, scores = asked(self.subject, table)
        return answers, None if self.ensemble is None else self.ensemble.judge(of(table), answers, scores)

    def alarms(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return the model's (n,) answers to rows and (n,) bool, alarmed."""
        answers, judged = self.judge(table)
        return answers, np.zeros(len(answers), dtype=bool) if judged is None else judged.alarm

    def _attacker(self, context: Context) -> Attacker:
        makes = cast("Attackers", context.uses[ATTACK])
        return makes([self.clean, self.train], context.settings.features or {})

    def attack(
        self,
        context: Context,
        rows: Table,
        answer: Callable[[Table, np.ndarray], np.ndarray],
        *,
        minimal: bool,
        rng: np.random.Generator,
    ) -> Struck:
        """Attack rows through an oracle, with the reach and the questions of the check's options.

        Of an endpoint's calls a sixth is spent: an oracle may ask for answers and for probabilities.
        """
        able = self.subject.capabilities
        return self._attacker(context).labels(
            answer,
            rows,
            _some(self.train, PUBLIC_ROWS, rng),
            epsilon=float(context.options["epsilon"]),
            queries=int(context.options["queries"]),
            rng=rng,
            minimal=minimal,
            calls=None if able.calls_left is None else int(able.calls_left * _ATTACK_SHARE),
            call_rows=able.max_rows,
        )

    def bare(self, table: Table, _origin: np.ndarray) -> np.ndarray:
        """Return the model's answers to changed rows."""
        return self.subject.predict(table)

    def targets(self, rng: np.random.Generator, most: int) -> Table:
        """Return at most ``most`` clean rows that the model answers rightly (where no truth is known: any)."""
        known = self.clean.target >= 0
        right = np.flatnonzero((self.clean_answers == self.clean.target) if known.any() else ~known)
        chosen = rng.choice(right, min(most, len(right)), replace=False)
        return self.clean.take(np.sort(chosen))


def asked(subject: Subject, table: Table) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a model's (n,) answers, and (n, K) probabilities where it gives any."""
    scores = subject.predict_proba(table) if subject.capabilities.scores else None
    return subject.predict(table), scores


def lay_out(context: Context) -> Setting:
    """Read data and options, fit and calibrate the ensemble.

    Raises:
        UnsupportedError: ``ensemble.task`` for values, ``ensemble.subject`` for a file of predictions,
            ``ensemble.budget`` for an endpoint that allows too few calls, ``ensemble.undeclared`` where neither
            an ensemble nor a level is declared; as :mod:`detector`.
        InputError: As :func:`fivefold.adaptation.ensemble.options.read`.
    """
    subject = context.subject
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("ensemble.subject", "there is no model that answers for changed rows.")
    if subject.task == "regression":
        raise UnsupportedError("ensemble.task", "disagreement is counted in classes, and this model gives values.")
    options = read(context.settings.controls)
    if options is None and not context.settings.level:
        raise UnsupportedError(
            "ensemble.undeclared",
            "no ensemble is declared, and no level that asks for one.",
            remedy="Declare controls.C2.",
        )
    rng = context.rng
    train = _some(context.tables("train"), TRAIN_ROWS, rng)
    calibration, clean, notes = _halves(context, rng)
    _require_affordable(subject, len(calibration) + len(clean))
    answers, scores = asked(subject, clean)
    ensemble = None
    if options is not None:
        context.progress(0.05, "fitting members")
        ensemble = _ensemble(subject, options, train, calibration, rng)
        notes += [f"Members: {', '.join(detector.names(ensemble))}; calibrated on {len(calibration)} rows."]
    if scores is None:
        notes += ["The model gives labels only: how narrowly it decided does not count."]
    return Setting(subject, options, ensemble, clean, answers, scores, calibration, train, tuple(notes))


def labels_of(train: Table, subject: Subject) -> np.ndarray:
    """Return (n,) class indices to fit members to: the truth, or, where too little of it is known, the answers."""
    return train.target if int((train.target >= 0).sum()) >= FEWEST_ROWS else subject.predict(train)


def _ensemble(
    subject: Subject, options: Options, train: Table, calibration: Table, rng: np.random.Generator
) -> Ensemble:
    made = detector.fit(of(train), labels_of(train, subject), len(subject.classes), options.members, rng)
    answers, scores = asked(subject, calibration)
    return detector.calibrated(made, of(calibration), answers, scores, false_alarms=options.false_alarms)


def _some(table: Table, most: int, rng: np.random.Generator) -> Table:
    if len(table) <= most:
        return table
    return table.take(np.sort(rng.choice(len(table), most, replace=False)))


def _halves(context: Context, rng: np.random.Generator) -> tuple[Table, Table, list[str]]:
    """Return calibration rows and rows that figures are stated on, and what the reader should know."""
    test = context.tables("test")
    try:
        given = context.tables("calibration")
    except KeyError:
        order = rng.permutation(len(test))
        cut = len(test) // 2
        parts = [test.take(np.sort(order[:cut])), test.take(np.sort(order[cut:]))]
        note = ["No data.calibration is declared: half of the test rows calibrate, figures are stated on the others."]
        return _some(parts[0], CALIBRATION_ROWS, rng), _some(parts[1], CLEAN_ROWS, rng), note
    return _some(given, CALIBRATION_ROWS, rng), _some(test, CLEAN_ROWS, rng), []


def _require_affordable(subject: Subject, rows: int) -> None:
    able = subject.capabilities
    if able.calls_left is not None and able.calls_left * able.max_rows * _SHARE < rows:
        raise UnsupportedError(
            "ensemble.budget",
            f"half of the calls that are left allow fewer than the {rows} questions that clean rows alone need.",
            remedy="Raise `model.calls`.",
        )
