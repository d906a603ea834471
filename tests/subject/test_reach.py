"""Which addresses may be spoken to: what the URL itself names, what the manifest allows, and never those of a link."""

from __future__ import annotations

import pytest

from fivefold.errors import InputError
from fivefold.manifest.address import parse
from fivefold.subject.endpoint.reach import reach

OUT = "https://models.example.org/v2/models/m"


def spoken(url: str, *found: str, private: bool = False, plain: bool = False) -> tuple[str, ...]:
    """Return the addresses that may be spoken to if the name stands for these."""
    return reach(parse(url), private=private, plain=plain, resolve=lambda _host, _port: found)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (OUT, ("93.184.215.14",)),
        (OUT, ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14")),
        ("http://localhost:8080/v2/models/m", ("127.0.0.1", "::1")),
        ("https://mlserver:8080/v2/models/m", ("172.18.0.4",)),
        ("https://models.corp/v2/models/m", ("10.1.2.3",)),
    ],
)
def test_what_the_url_says_is_spoken_to(url: str, found: tuple[str, ...]) -> None:
    """Public addresses of public names; private ones where the URL itself names a private place."""
    assert spoken(url, *found) == found


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "2002:a00:1::", "198.18.0.1",
    ],
)  # fmt: skip
def test_a_public_name_may_not_stand_for_a_private_place(address: str) -> None:
    """However the address is written, and even among public ones; the manifest can allow it."""
    for found in ((address,), ("93.184.215.14", address)):
        with pytest.raises(InputError) as caught:
            spoken(OUT, *found)
        assert caught.value.code == "endpoint.host"
    assert spoken(OUT, address, private=True) == (address,)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "240.0.0.1", "::ffff:169.254.169.254"]
)
def test_addresses_of_a_link_are_never_spoken_to(address: str) -> None:
    """Clouds keep their keys there; no declaration opens them."""
    with pytest.raises(InputError) as caught:
        spoken(OUT, address, private=True, plain=True)
    assert caught.value.code == "endpoint.host"


@pytest.mark.parametrize("url", ["http://models.example.org/v2/models/m", "grpc://models.example.org:8001/m"])
def test_rows_travel_in_the_clear_only_where_that_is_declared(url: str) -> None:
    """Not to another machine, unless the manifest says so."""
    with pytest.raises(InputError) as caught:
        spoken(url, "93.184.215.14")
    assert caught.value.code == "endpoint.plain"
    assert spoken(url, "93.184.215.14", plain=True) == ("93.184.215.14",)


def test_a_name_without_an_address_is_no_fault_of_the_manifest() -> None:
    """The endpoint is then not there; whoever asks it will say so."""
    assert spoken(OUT) == ()
