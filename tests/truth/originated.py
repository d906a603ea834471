"""Subjects of T2.provenance: applications in a folder whose provenance holds, or is broken in a known way."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import links, model_provenance, signed_set
from fivefold.evidence.model_provenance import Internal
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.manifest.digests import data_digests
from fivefold.manifest.reader import read
from fivefold.traceability.lineage import making

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK, NOW, SIGNED = "T2.provenance", "2026-11-30T12:00:00Z", "2026-10-01T00:00:00Z"
_MANIFEST = """fivefold: 1
application: {{id: app-{number}, level: 4, purpose: trial}}
use: {{output: recommendation, acts: human, alone: false}}
data:
  train: {{path: data/train.csv, target: y}}
  test: {{path: data/test.csv}}
{more}training: {{factory: "{trainer}:fit"}}
model: {{factory: "scorer:load", path: {model}}}
controls: {{T2: {{people: {{trained: Jane Doe, approved: John Roe}}}}}}
"""
KINDS = (
    "one bit of data", "other data of the same name", "one bit of the model", "another model", "one bit of code",
    "code beside the named", "signed by another key", "key not trusted", "wrong role", "revoked",
    "one bit of the statement", "statement cut", "no statement", "of another application", "no people",
    "blank person", "no parameters", "no environment", "no code", "training data not named", "a data file gone",
    "unknown commit", "stale commit", "other factory",
)  # fmt: skip


class Application:
    """An application of 1 to 4 model files, with data and code, and a signed statement of where it comes from."""

    def __init__(self, seed: int, *, repository: bool | None = None) -> None:
        self.rng = rng = np.random.default_rng([seed, 0])
        self.root = Path(tempfile.mkdtemp(prefix="fivefold-truth-")) / "app"
        self.folder = bool(rng.integers(2))
        self.package = bool(rng.integers(2))
        self.calibrated = bool(rng.integers(2))
        self.repository = bool(rng.integers(2)) if repository is None else repository
        for name, data in self._content().items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if self.repository:
            self.commit()
        self.signer, self.now = generate(), NOW
        self.trust = trust_file.add(trust_file.Trust(), self.signer.public, name="owner", roles=("signer",))
        self.manifest = read(self.root)
        extra = ["data/extra.bin"] if rng.integers(2) else []
        names = ["train", *(["calibration"] if self.calibrated else []), *extra]
        self.extra = bool(extra)
        saying = making.Saying(
            parameters={"seed": int(rng.integers(99)), "rate": float(rng.random())}, data=names,
            environment="lock.txt" if rng.integers(2) else "", finished=SIGNED,
        )  # fmt: skip
        self.made = making.declare(self.manifest, saying, self.signer, SIGNED)

    def _content(self) -> dict[str, bytes]:
        rng = self.rng
        model = {f"weights/w{at}.npz": rng.bytes(200 + at) for at in range(int(rng.integers(1, 5)))}
        trainer = ["trainer/__init__.py", "trainer/steps.py"] if self.package else ["trainer.py"]
        more = "  calibration: {path: data/calibration.csv}\n" if self.calibrated else ""
        manifest = _MANIFEST.format(
            number=int(rng.integers(1000)), more=more, trainer="trainer", model="weights" if self.folder else "m.npz"
        )
        rows = "x,y\n" + "".join(f"{rng.normal():.6f},{rng.integers(2)}\n" for _ in range(20))
        return {
            "fivefold.yaml": manifest.encode(), "data/train.csv": rows.encode(), "data/extra.bin": rng.bytes(50),
            "data/test.csv": rows.replace("x,y\n", "x,y\n0.5,1\n").encode(),
            "data/calibration.csv": rows.replace("x,y\n", "x,y\n0.25,0\n").encode(), "lock.txt": rng.bytes(30),
            **(model if self.folder else {"m.npz": rng.bytes(300)}), "scorer.py": b"def load():\n    return None\n",
            **{name: b"def fit(data, rng):\n    return None\n# %d\n" % at for at, name in enumerate(trainer)},
        }  # fmt: skip

    def any_model(self) -> str:
        """Return one of the model's files."""
        names = list(self.made.files)
        return names[int(self.rng.integers(len(names)))]

    def commit(self) -> str:
        """Commit everything, and return the commit."""
        git = [shutil.which("git") or "git", "-C", str(self.root), "-c", "user.name=t", "-c", "user.email=t@t"]
        quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--no-gpg-sign", "-m", "x"]):
            subprocess.run([*git, *words], check=True, env=quiet, capture_output=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], check=True, env=quiet, capture_output=True, text=True).stdout

    def sign(self, says: Any = None, files: dict[str, str] | None = None, signer: Any = None) -> None:
        """Sign the statement again, changed."""
        made = says or self.made.says
        self.made.place.write_bytes(model_provenance.seal(made, files or self.made.files, signer or self.signer))

    def external(self, **changed: Any) -> None:
        """Sign it again with other words."""
        definition = self.made.says.buildDefinition
        held = msgspec.structs.replace(definition.externalParameters, **changed)
        self.define(externalParameters=held)

    def define(self, **changed: Any) -> None:
        """Sign it again with another definition."""
        made = msgspec.structs.replace(self.made.says.buildDefinition, **changed)
        self.sign(msgspec.structs.replace(self.made.says, buildDefinition=made))

    def flip(self, name: str) -> None:
        """Change one bit of a file."""
        path = self.root / name
        data = bytearray(path.read_bytes())
        data[int(self.rng.integers(len(data)))] ^= 1 << int(self.rng.integers(8))
        path.write_bytes(bytes(data))

    def listed(self, kind: str) -> list[Any]:
        """Return the dependencies without those of a kind."""
        listed = self.made.says.buildDefinition.resolvedDependencies
        return [one for one in listed if one.annotations["kind"] not in kind.split()]

    def context(self, seed: int) -> Context:
        """Return what the check would be handed."""
        statement = model_provenance.stored(self.manifest)
        there = links.look(self.manifest, statement, signed_set.digests(self.manifest), data_digests(self.manifest))
        return context(
            CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(), model_root=self.root,
            origin={"statement": statement, "there": msgspec.msgpack.encode(there)},
            trust=trust_file.write(self.trust), now=self.now,
        )  # fmt: skip


def build(seed: int, kind: str = "") -> Context:
    """Return the context of an application, broken in one way if one is named."""
    app = Application(seed, repository=True if "commit" in kind else None)
    try:
        spoil(app, kind)
        return app.context(seed)
    finally:
        shutil.rmtree(app.root.parent)


def spoil(app: Application, kind: str) -> None:
    """Break an application in one way; an empty word leaves it whole."""
    rng, place = app.rng, app.made.place
    names, model = list(app.made.files), app.any_model()
    if kind == "one bit of data":
        app.flip("data/train.csv" if not app.calibrated or rng.integers(2) else "data/calibration.csv")
    elif kind == "other data of the same name":
        (app.root / "data/train.csv").write_bytes(b"x,y\n1,1\n0,0\n")
    elif kind == "one bit of the model":
        app.flip(model)
    elif kind == "another model":
        app.sign(files={model: "0" * 64, **{name: app.made.files[name] for name in names if name != model}})
    elif kind == "one bit of code":
        (app.root / "scorer.py").write_bytes(b"def load():\n    return 1\n")
    elif kind == "code beside the named":
        left = [one for one in app.listed("") if not one.name.startswith("trainer")]
        app.define(resolvedDependencies=tuple(left))
    elif kind == "signed by another key":
        app.sign(signer=generate())
    elif kind == "key not trusted":
        app.trust = trust_file.Trust()
    elif kind == "wrong role":
        app.trust = trust_file.add(trust_file.Trust(), app.signer.public, name="owner", roles=("steward",))
    elif kind == "revoked":
        app.trust = trust_file.revoke(app.trust, app.signer.public.id, "2026-01-01T00:00:00Z")
    elif kind == "one bit of the statement":
        app.flip(place.name)
    elif kind == "statement cut":
        data = place.read_bytes()
        place.write_bytes(data[: int(rng.integers(1, len(data) - 2))])
    elif kind == "no statement":
        place.unlink()
    elif kind == "of another application":
        app.external(application="another")
    elif kind == "no people":
        app.external(people=())
    elif kind == "blank person":
        people = app.made.says.buildDefinition.externalParameters.people
        app.external(people=(msgspec.structs.replace(people[0], name=" "), *people[1:]))
    elif kind == "no parameters":
        app.external(parameters={})
    elif kind == "no environment":
        app.define(internalParameters=Internal(environment={}), resolvedDependencies=tuple(app.listed("environment")))
    elif kind == "no code":
        app.define(resolvedDependencies=tuple(app.listed("code repository")))
    elif kind == "training data not named":
        left = [one for one in app.listed("") if one.name != "data.train"]
        other = msgspec.structs.replace(left[0], name="data.test", uri="data/test.csv", annotations={"kind": "data"},
                                        digest={"sha256": data_digests(app.manifest)["test"]})  # fmt: skip
        app.define(resolvedDependencies=(*left, other))
    elif kind == "a data file gone":
        gone = msgspec.structs.replace(app.listed("")[0], name="data/lost.bin", uri="data/lost.bin")
        app.define(resolvedDependencies=(*app.listed(""), gone))
    elif kind == "other factory":
        app.external(factory="elsewhere:fit")
    elif kind:
        _commits(app, kind)


def _commits(app: Application, kind: str) -> None:
    """Name a commit that nobody has, or one from before the code was as it is."""
    if kind == "unknown commit":
        named = [*app.listed("repository"), *(one for one in app.listed("data code environment"))]
        changed = [msgspec.structs.replace(one, digest={"gitCommit": app.rng.bytes(20).hex()})
                   if one.annotations["kind"] == "repository" else one for one in named]  # fmt: skip
        app.define(resolvedDependencies=tuple(changed))
        return
    (app.root / "scorer.py").write_bytes(b"def load():\n    return 2\n")
    stale = [one for one in app.listed("data code environment") if one.annotations["kind"] == "repository"]
    making.declare(app.manifest, making.Saying(parameters={"seed": 1}, people={}), app.signer, SIGNED)
    statement = links.unread(app.made.place.read_bytes())
    assert statement is not None
    assert not statement.named("repository")
    made = statement.buildDefinition
    made = msgspec.structs.replace(made, resolvedDependencies=(*made.resolvedDependencies, *stale))
    app.sign(msgspec.structs.replace(statement, buildDefinition=made))


ENTRY = Entry(
    check=CHECK,
    documented="one broken link of any of these kinds: " + ", ".join(KINDS),
    planted={kind: partial(build, kind=kind) for kind in KINDS},
    clean={"intact": build},
)
