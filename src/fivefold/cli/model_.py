"""Commands ``model sign`` and ``model verify``: OpenSSF model signing over the signed set of an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import Json, out
from fivefold.cli._own import own_key

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

_DEFAULT = "model.sig"


def sign(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    key: Annotated[
        str, typer.Option(help="Your signer key: path, start of its id, or name (default: the only one).")
    ] = "",
    json: Json = False,
) -> None:
    """Sign the model: its files, the module that loads it, the one that trains it.

    The signature is written to the file that the manifest names under [bold]model.signature[/bold]; where it names
    none, [bold]signature: model.sig[/bold] is added to it. A file that runs code when it is read (a pickle in any
    disguise) is refused, not signed.

    Example: [bold]fivefold key new --role signer && fivefold model sign my-app[/bold]
    """
    from rich.text import Text

    from fivefold.assess import operating
    from fivefold.evidence import oms, signed_set
    from fivefold.manifest.reader import read
    from fivefold.subject.hostile.scan import scan

    manifest = read(application, may_lack=frozenset({"model.signature"}))
    _require_model(manifest)
    with operating.operation(manifest, "model sign", data=False) as operation:
        scan(signed_set.files(manifest).items())
        chosen = own_key("signer", key)
        manifest, added = _named(manifest)
        place, files = _signature(manifest), signed_set.files(manifest)
        bundle = oms.sign_files(files, chosen.signer, name=manifest.application.id, ignored=(place.name,))
        _write(place, bundle)
        operation.results["model"] = f"signed by {chosen.note.name}"
    names = sorted(files)
    value = {"signature": str(place), "key": chosen.note.id, "signer": chosen.note.name, "files": names}
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    view = f"Signed {len(names)} files ({listed}) by {chosen.note.name}, key {chosen.note.id[:12]}.\n{place}"
    if added:
        view += f"\nAdded to {manifest.file.name}: `signature: {_DEFAULT}` under `model:`."
    out(json=json, value=value, view=Text(view))


def verify(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Verify that a signer whom you trust signed exactly these files; exit code 1 if not.

    Example: [bold]fivefold model verify my-app[/bold]
    """
    from rich.text import Text

    from fivefold.assess import operating
    from fivefold.evidence import oms, signed_set
    from fivefold.keys import store
    from fivefold.manifest.reader import read

    manifest = read(application, may_lack=frozenset({"model.signature"}))
    place = _signature(manifest)
    with operating.operation(manifest, "model verify", data=False) as operation:
        bundle = place.read_bytes() if place.is_file() else None
        found = oms.verify_trusted(bundle, signed_set.files(manifest), store.read_trust(trust), store.utc_now())
        operation.results["model"] = f"as {found.signer} signed it"
    value = {"signer": found.signer, "key": found.key, "files": list(found.files)}
    view = f"All {len(found.files)} files are as {found.signer} signed them, key {found.key[:12]}."
    out(json=json, value=value, view=Text(view))


def _named(manifest: Manifest) -> tuple[Manifest, bool]:
    """Return the manifest with a file for the signature, and whether that was added now."""
    from fivefold.manifest.signed_place import name_signature

    found = None if manifest.model and manifest.model.signature else name_signature(manifest, _DEFAULT)
    return (manifest, False) if found is None else (found, True)


def _require_model(manifest: Manifest) -> None:
    from fivefold.errors import InputError

    model = manifest.model
    if model is None or not (model.factory or model.path or model.files or model.predictions):
        raise InputError("model.none", "the manifest declares no model.", remedy="Add `model:` to it.")


def _signature(manifest: Manifest) -> Path:
    from fivefold.errors import InputError

    _require_model(manifest)
    model = manifest.model
    if model is None or not model.signature:
        raise InputError(
            "model.signature",
            "the manifest names no file for the signature.",
            remedy=f"Write `signature: {_DEFAULT}` under `model:`.",
            where=str(manifest.file),
        )
    return manifest.root / model.signature


def _write(place: Path, data: bytes) -> None:
    import secrets

    from fivefold.errors import InputError

    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(place)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            "model.unwritable", f"the signature cannot be written ({error.strerror}).", where=str(place)
        ) from None
