"""Signatures: the vectors that are known, and what must hold of any of them."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import Secret
from app.providers.recharges import signing
from app.providers.recharges.signing import BadSigningKey, Base, Digest, Rsa

KEY = Secret("testkey")
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
FIELDS = st.dictionaries(NAMES, st.text(max_size=20), max_size=6)


def test_fulus_vector() -> None:
    envelope = {
        "app_key": "test-key",
        "method": "fulu.order.info.get",
        "timestamp": "2026-01-01 00:00:00",
        "version": "2.0",
        "format": "json",
        "charset": "utf-8",
        "sign_type": "md5",
        "app_auth_token": "",
        "biz_content": '{"customer_order_no":"T1"}',
    }

    signature = signing.sorted_characters(envelope, Secret("test-secret"))

    assert signature == "ec5461070145dcd51f65ab4a19dcc50b"


@given(FIELDS, st.randoms())
def test_fulus_signature_does_not_depend_on_the_order(
    fields: dict[str, str], random: object
) -> None:
    names = list(fields)
    random.shuffle(names)  # type: ignore[attr-defined]

    assert signing.sorted_characters(fields, KEY) == signing.sorted_characters(
        {name: fields[name] for name in names}, KEY
    )


def test_kashangwls_vector() -> None:
    base = Base(has_marks=False, key_at="before")
    fields = {
        "timestamp": "1626845767",
        "customer_id": "1192442",
        "order_id": "827669582783",
    }

    assert base.text(fields, KEY) == (
        "testkeycustomer_id1192442order_id827669582783timestamp1626845767"
    )
    assert Digest(signing.md5).sign(base.text(fields, KEY)) == "7c0cbae98613e6fe38114da0d8c08669"


def test_dayuanrens_rule() -> None:
    base = Base(key_at="as_field", key_name="apikey")
    fields = {"userid": "1", "mobile": "13800000000", "amount": "", "sign": ""}
    text = "mobile=13800000000&userid=1&apikey=testkey"

    assert base.text(fields, KEY) == text
    assert Digest(signing.md5, is_upper=True).sign(text) == (
        hashlib.md5(text.encode()).hexdigest().upper()
    )


@pytest.mark.parametrize(
    ("base", "text"),
    [
        (Base(), "a=1&b=2"),
        (Base(key_at="after"), "a=1&b=2testkey"),
        (Base(key_at="before"), "testkeya=1&b=2"),
        (Base(key_at="as_field"), "a=1&b=2&key=testkey"),
        (Base(has_marks=False), "a1b2"),
        (Base(has_marks=False, key_at="as_field"), "a1b2keytestkey"),
        (Base(skips_empty=False), "a=1&b=2&c="),
        (Base(without=frozenset({"b"})), "a=1"),
    ],
)
def test_how_fields_are_joined(base: Base, text: str) -> None:
    assert base.text({"b": "2", "c": "", "a": "1"}, KEY) == text


@given(FIELDS, NAMES, st.text(max_size=20))
def test_a_changed_field_is_noticed(fields: dict[str, str], name: str, value: str) -> None:
    base, signer = Base(skips_empty=False), Digest(signing.hmac_sha256(KEY))
    signature = signer.sign(base.text(fields, KEY))
    changed = fields | {name: value}

    assert signer.is_genuine(base.text(fields, KEY), signature)
    assert signer.is_genuine(base.text(fields, KEY), signature.upper())
    if base.text(changed, KEY) != base.text(fields, KEY):
        assert not signer.is_genuine(base.text(changed, KEY), signature)


@given(st.text(max_size=80))
def test_a_signature_is_not_guessed(signature: str) -> None:
    assert not Digest(signing.md5).is_genuine("a=1testkey", signature)
    assert not Digest(signing.hmac_sha256(KEY)).is_genuine("a=1", signature)


@pytest.mark.parametrize("signature", ["", "\ud800", "é" * 32, "0" * 10_000])
def test_odd_signatures_are_only_wrong(signature: str) -> None:
    assert not Digest(signing.md5).is_genuine("a=1", signature)


@pytest.fixture(scope="module")
def ours() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def theirs() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def private_pem(key: RSAPrivateKey, format_: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, format_, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def bare(pem: str) -> str:
    """Only the Base64, as suppliers' consoles show it."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def test_rsa_signs_with_our_key_and_checks_with_theirs(
    ours: RSAPrivateKey, theirs: RSAPrivateKey
) -> None:
    we, they = Rsa(ours, theirs.public_key()), Rsa(theirs, ours.public_key())

    assert they.is_genuine("a=1", we.sign("a=1"))
    assert we.is_genuine("a=1", they.sign("a=1"))
    assert not we.is_genuine("a=2", they.sign("a=1"))
    assert not we.is_genuine("a=1", we.sign("a=1"))
    assert not Rsa(ours, None).is_genuine("a=1", they.sign("a=1"))


@pytest.mark.parametrize("signature", ["", "!", "AAAA", "é", "\ud800"])
def test_rsa_takes_no_other_signature(
    ours: RSAPrivateKey, theirs: RSAPrivateKey, signature: str
) -> None:
    assert not Rsa(ours, theirs.public_key()).is_genuine("a=1", signature)


def test_keys_are_read_in_the_forms_that_suppliers_hand_out(ours: RSAPrivateKey) -> None:
    pem, traditional = private_pem(ours), private_pem(ours, PrivateFormat.TraditionalOpenSSL)
    for text in (pem, traditional, bare(pem), bare(traditional)):
        found = signing.private_key(Secret(text))
        assert found.private_numbers() == ours.private_numbers()
    for text in (public_pem(ours), bare(public_pem(ours))):
        found_public = signing.public_key(text)
        assert found_public.public_numbers() == ours.public_key().public_numbers()


def test_what_is_no_rsa_key_is_refused_without_quoting_it(ours: RSAPrivateKey) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    other = elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    broken = private_pem(ours)[:200]
    for text in (other, broken, "", "密钥", base64.b64encode(b"nonsense").decode()):
        with pytest.raises(BadSigningKey) as fault:
            signing.private_key(Secret(text))
        assert str(fault.value) == ""
        assert fault.value.__suppress_context__ or fault.value.__cause__ is None
        with pytest.raises(BadSigningKey):
            signing.public_key(text)
