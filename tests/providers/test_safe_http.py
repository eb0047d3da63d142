"""The way out: whom it calls, whom it does not, and that every call ends."""

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.providers import safe_http
from app.providers.safe_http import Answer, BadAddress, Request, check, is_public, send
from tests.providers.supplier import (
    Behaviour,
    Supplier,
    drip_body,
    drip_headers,
    flood,
    hang_up,
    open_supplier,
    silence,
    stop_half_way,
)

NAME = "supplier.test"


def get(url: str, timeout: float = 5.0) -> Answer:
    return send(Request("GET", url), allow_private=True, timeout=timeout)


def test_an_answer_is_what_the_server_said(supplier: Supplier) -> None:
    supplier.says({"code": "ok"}, status=404)

    answer = send(
        Request("POST", f"{supplier.url}/a/b?c=d", {"X-Sign": "s"}, b"body"), allow_private=True
    )

    assert (answer.status, answer.body, answer.trouble) == (404, b'{"code": "ok"}', "")
    assert (supplier.last.method, supplier.last.path) == ("POST", "/a/b?c=d")
    assert supplier.last.body == b"body"
    assert supplier.last.headers["x-sign"] == "s"
    assert supplier.last.headers["host"] == supplier.url.removeprefix("http://")
    assert supplier.last.headers["accept-encoding"] == "identity"


def test_a_post_without_a_body_says_so(supplier: Supplier) -> None:
    supplier.says({})

    send(Request("POST", supplier.url), allow_private=True)

    assert supplier.last.headers["content-length"] == "0"
    assert supplier.last.path == "/"


def test_connections_are_kept(supplier: Supplier) -> None:
    supplier.says({})

    get(supplier.url)
    get(supplier.url)

    assert len({seen.connection for seen in supplier.seen}) == 1


def test_a_child_keeps_no_connection_of_its_parent(supplier: Supplier) -> None:
    supplier.says({})
    get(supplier.url)

    child = os.fork()
    if not child:
        os._exit(safe_http._pool.cache_info().currsize)
    _, status = os.waitpid(child, 0)

    assert safe_http._pool.cache_info().currsize > 0
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    ("behaviour", "trouble"),
    [
        pytest.param(silence, "no answer in time", id="silence"),
        pytest.param(hang_up, "the connection was cut", id="hung up"),
        pytest.param(stop_half_way, "the connection was cut", id="cut half-way"),
        pytest.param(drip_body, "no answer in time", id="a dripping body"),
        pytest.param(drip_headers, "no answer in time", id="dripping headers"),
        pytest.param(flood, "the answer is longer than 1 MB", id="an endless body"),
    ],
)
def test_a_call_ends_and_is_made_once(
    supplier: Supplier, behaviour: Behaviour, trouble: str
) -> None:
    supplier.behaviour = behaviour

    began = time.monotonic()
    answer = get(supplier.url, timeout=0.4)

    assert answer.trouble == trouble
    assert answer.body == b""
    assert time.monotonic() - began < 2
    assert answer.milliseconds < 2000
    assert len(supplier.seen) == 1


def test_a_redirect_is_not_followed(supplier: Supplier) -> None:
    supplier.says(b"", status=302, Location=f"{supplier.url}/elsewhere")

    assert get(supplier.url).status == 302
    assert len(supplier.seen) == 1


def test_nobody_there_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = get(f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert (answer.status, answer.trouble) == (0, "could not connect")


def test_no_proxy_of_the_environment_is_used(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    supplier.says({})

    assert get(supplier.url).status == 200


def test_what_is_no_http_is_cut(supplier: Supplier) -> None:
    def babble(supplier: Supplier, handler: object) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")  # type: ignore[attr-defined]

    supplier.behaviour = babble

    assert get(supplier.url).trouble == "the connection was cut"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "supplier.example/api",
        "ftp://supplier.example/",
        "http://supplier.example/",
        "https:///api",
        "https://user:secret@supplier.example/",
        "https://supplier.example/#part",
        "https://supplier.example/a b",
        "https://supplier.example/\napi",
        "https://supplier.example\\@127.0.0.1/",
        "https://福禄.example/",
        "https://supplier.example:8080/",
        "https://supplier.example:99999/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://supplier.example/" + "a" * 8000,
    ],
)
def test_addresses_that_may_not_be_called(url: str) -> None:
    with pytest.raises(BadAddress):
        check(url)
    assert send(Request("GET", url)).trouble == "the address may not be called"


@pytest.mark.parametrize(
    "url", ["https://supplier.example", "https://supplier.example:8443/a?b=c", "https://8.8.8.8/"]
)
def test_addresses_that_may_be_called(url: str) -> None:
    check(url)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.8", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.168.1.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::7f00:1"),
        pytest.param("::ffff:127.0.0.1", id="mapped"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 of 127.0.0.1"),
        pytest.param("64:ff9b::a00:8", id="NAT64 of 10.0.0.8"),
        pytest.param("64:ff9b:1::808:808", id="NAT64 within a network"),
        pytest.param("2002:7f00:1::", id="6to4 of 127.0.0.1"),
        pytest.param("2001:0:808:808::f5ff:fff7", id="Teredo of 10.0.0.8"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and the addresses a resolver gives for them: only this part of DNS is played."""
    names: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: object, **more: object) -> list[object]:
        if host not in names:
            return real(host, port, *rest, **more)  # type: ignore[arg-type, return-value]
        addresses, names[host] = names[host], []
        if not addresses:
            raise socket.gaierror("no address")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="a private one"),
        pytest.param(["8.8.8.8", "10.0.0.8"], id="a private one among public ones"),
        pytest.param(["fe80::1%eth0"], id="a link-local one"),
    ],
)
def test_a_name_with_a_private_address_is_not_called(
    looked_up: dict[str, list[str]], addresses: list[str]
) -> None:
    looked_up[NAME] = addresses

    answer = send(Request("GET", f"https://{NAME}/"), timeout=1)

    assert answer.trouble == "the name has an address that is not public"


def test_a_name_without_an_address_is_said(looked_up: dict[str, list[str]]) -> None:
    looked_up[NAME] = []

    assert get(f"http://{NAME}/").trouble == "the name has no address"


def test_a_resolver_that_takes_its_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_rest, **_more: is_over.wait() and [])

    answer = get(f"http://{NAME}/", timeout=0.2)

    is_over.set()
    assert answer.trouble == "no answer in time"
    assert answer.milliseconds < 2000


def test_the_very_address_that_was_looked_at_is_called(
    supplier: Supplier, looked_up: dict[str, list[str]]
) -> None:
    """A second look would find none: the resolver gives each answer once."""
    supplier.says({})
    looked_up[NAME] = ["127.0.0.1"]
    port = supplier.url.rpartition(":")[2]

    assert get(f"http://{NAME}:{port}/").status == 200
    assert supplier.last.headers["host"] == f"{NAME}:{port}"


def test_the_next_address_is_tried_when_one_is_not_there(
    supplier: Supplier, looked_up: dict[str, list[str]]
) -> None:
    supplier.says({})
    looked_up[NAME] = ["127.0.0.2", "127.0.0.1"]

    assert get(f"http://{NAME}:{supplier.url.rpartition(':')[2]}/").status == 200


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A certificate for supplier.test that signed itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    yield path, context
    safe_http._pool.cache_clear()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    with open_supplier(certificate[1]) as supplier:
        supplier.says({})

        assert get(supplier.url).trouble == "its certificate is not good"
        assert supplier.seen == []


@pytest.mark.parametrize(("name", "trouble"), [(NAME, ""), ("other.test", "its certificate")])
def test_the_certificate_must_be_the_names_not_the_addresss(
    certificate: tuple[Path, ssl.SSLContext],
    looked_up: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trouble: str,
) -> None:
    path, context = certificate
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, server_name, _context: asked_for.append(server_name)
    monkeypatch.setattr(safe_http, "TLS", ssl.create_default_context(cafile=str(path)))
    safe_http._pool.cache_clear()
    looked_up[name] = ["127.0.0.1"]
    with open_supplier(context) as supplier:
        supplier.says({})
        answer = get(f"https://{name}:{supplier.url.rpartition(':')[2]}/")

    assert answer.trouble.startswith(trouble)
    assert (answer.status == 200) == (not trouble)
    assert asked_for == [name]


def test_a_request_and_an_answer_show_nothing() -> None:
    request = Request("POST", "https://supplier.example/?key=secret", {"X": "secret"}, b"secret")

    assert "secret" not in repr(request)
    assert "secret" not in repr(Answer(200, b"secret"))
