"""Elsewhere: what a run keeps of a model that it can only ask: where it is, what may be spent, what the probe found."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract import registry
from fivefold.contract.codec import canonical
from fivefold.errors import InputError, InternalError
from fivefold.manifest import address as urls
from fivefold.manifest import site as sites
from fivefold.plan import calls as shares
from fivefold.subject import calls
from fivefold.subject.command import programs
from fivefold.subject.endpoint.reach import reach
from fivefold.subject.worker.messages import CommandJob, Confinement, EndpointJob, Purse

if TYPE_CHECKING:
    from fivefold.contract.plan import Plan
    from fivefold.manifest.address import Address
    from fivefold.manifest.nouns import Manifest
    from fivefold.manifest.site import Site
    from fivefold.subject.snapshot import Snapshot

_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class Started:
    """A command, looked up.

    Attributes:
        program: What is started.
        arguments: The other words.
        folder: The snapshot's folder, where it is started.
        reads: What it may read there.
    """

    program: programs.Program
    arguments: tuple[str, ...]
    folder: str
    reads: tuple[str, ...]


@dataclass
class Elsewhere:
    """A model that is only asked.

    Attributes:
        address: Where.
        addresses: What its host stands for; empty: it has no address.
        site: What this machine adds.
        ledger: File in which calls are written down.
        given_up: File that says whether the endpoint answers nobody.
        turns: File that says when the next call may be made.
        found: What the probe found (message pack); empty: it has not been probed, or could not be.
        started: Of a command: what is started, and where.
    """

    address: Address | None
    addresses: tuple[str, ...]
    site: Site
    ledger: Path
    given_up: Path
    turns: Path
    found: bytes = b""
    started: Started | None = None

    def purse(self, check: str, share: int) -> Purse:
        """Return what a check, or the probe, may spend."""
        total = self.site.calls
        return Purse(
            ledger=str(self.ledger),
            given_up=str(self.given_up),
            turns=str(self.turns),
            who=check or "probe",
            total=total,
            share=share,
            reserve=shares.reserve(total),
        )

    def job(self, check: str, seed: str, share: int, python: tuple[str, ...]) -> EndpointJob | CommandJob:
        """Return the job of the process that asks for a check, or for the probe."""
        site = self.site
        if self.address is None:
            return self._command(check, share, python)
        confinement = Confinement(
            read=(*python, *_authorities()),
            scratch="",
            file_bytes=_FILE_BYTES,
            foreign=False,
            port=self.address.port,
            write=(str(self.ledger), str(self.given_up), str(self.turns)),
        )
        return EndpointJob(
            address=self.address,
            addresses=self.addresses,
            confinement=confinement,
            purse=self.purse(check, share),
            token=site.token,
            authorities=site.ca,
            rate=site.rate,
            seconds=site.seconds,
            waiting=site.waiting,
            seed=int(hashlib.sha256(f"jitter\n{check}\n{seed}\n".encode()).hexdigest()[:8], 16),
            learned=_learned(self.found),
        )

    def _command(self, check: str, share: int, python: tuple[str, ...]) -> CommandJob:
        started = self.started
        if started is None:
            raise InternalError("assess.command", "the program of the command was not looked up.")
        confinement = Confinement(
            read=(*python, *started.reads, *started.program.reads),
            scratch="",
            file_bytes=_FILE_BYTES,
            foreign=True,
            write=(str(self.ledger),),
            execute=started.program.may_start,
        )
        return CommandJob(
            folder=started.folder,
            command=(str(started.program.file), *started.arguments),
            confinement=confinement,
            purse=self.purse(check, share),
            seconds=self.site.command_seconds,
            identity=started.program.digest(),
            learned=_learned(self.found),
        )


def _kept(folder: Path, ledger: Path | None) -> tuple[Path, Path, Path]:
    files = ledger or folder / "calls", folder / "given-up", folder / "turns"
    for file in files:
        file.touch(mode=0o600)
    return files


def elsewhere(manifest: Manifest, folder: Path, ledger: Path | None) -> Elsewhere | None:
    """Return what a run keeps of an endpoint; None if the model is none.

    Args:
        manifest: The application.
        folder: A private folder that lives as long as the run.
        ledger: Where calls are written down; None: in that folder.

    Raises:
        InputError: ``endpoint.host``, ``endpoint.plain``, or as :func:`fivefold.manifest.site.read`.
    """
    model = manifest.model
    if model is not None and model.command:
        return Elsewhere(None, (), sites.read(manifest), *_kept(folder, ledger))
    if model is None or not model.endpoint:
        return None
    site, where = sites.read(manifest), urls.parse(model.endpoint)
    addresses = reach(where, private=model.private, plain=model.plain)
    if site.token and not where.tls and not all(ipaddress.ip_address(place).is_loopback for place in addresses):
        raise InputError(
            "site.token",
            f"{where.host} is another machine, and a token is not sent where anybody on the way can read it.",
            where=str(manifest.root / sites.FILE),
            remedy="Use https:// or grpcs:// in model.endpoint.",
        )
    return Elsewhere(where, addresses, site, *_kept(folder, ledger))


def looked_up(manifest: Manifest, shot: Snapshot) -> Started | None:
    """Return what the command of a manifest starts; None if there is none.

    Raises:
        InputError: ``command.program``.
    """
    words = manifest.model.command if manifest.model else ()
    if not words:
        return None
    program = programs.find(words, manifest.root, shot.app)
    if program.file.is_relative_to(shot.app.resolve()) or program.file.is_relative_to(shot.signed.resolve()):
        program.file.chmod(0o555)
    return Started(program, tuple(words[1:]), str(shot.app), (str(shot.app), str(shot.signed), *shot.reachable))


def kept_ledger(manifest: Manifest, digests: dict[str, str]) -> Path:
    """Return the file that keeps the calls of a run that may be taken up again.

    Raises:
        InputError: ``assess.state`` if the user's state folder cannot be written.
    """
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(base) / "fivefold" / "calls"
    name = hashlib.sha256(canonical([manifest.application.id, manifest.digest, digests])).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / name).touch(mode=0o600)
    except OSError as error:
        raise InputError(
            "assess.state", f"{folder} cannot be written ({error.strerror}).", remedy="Set XDG_STATE_HOME."
        ) from None
    return folder / name


def share_of(plan: Plan) -> int:
    """Return the calls that the plan gives each check that asks the model; 0 without a budget."""
    model = plan.facts.model
    needs = {name: spec.needs for name, spec in registry.checks().items()}
    return shares.share(model.calls, len(shares.asking(plan, needs))) if model else 0


def begun_anew(ledger: Path, before: int) -> None:
    """Forget the calls of a run that is not taken up again."""
    if before:
        calls.continued(ledger, before)


def _learned(found: bytes) -> bytes:
    """Return the part of what the probe found that the asking process needs."""
    return msgspec.msgpack.encode(msgspec.msgpack.decode(found)["learned"]) if found else b""


def _authorities() -> tuple[str, ...]:
    """Return where the system keeps the authorities that vouch for servers."""
    paths = ssl.get_default_verify_paths()
    found = (paths.cafile, paths.capath, paths.openssl_cafile, paths.openssl_capath, "/etc/ssl/certs", "/etc/pki")
    return tuple(dict.fromkeys(path for path in found if path))
