"""Alipay's RSA2: SHA-256 with RSA (PKCS#1 v1.5), keys and signatures in base64."""

import base64

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

BITS = 2048


def private_key(text: str) -> RSAPrivateKey:
    """Read base64 of DER (PKCS#8 or PKCS#1); raises ValueError, and never quotes the key."""
    try:
        key = load_der_private_key(base64.b64decode(text, validate=True), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not a private key") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    return key


def public_key(text: str) -> RSAPublicKey:
    """Read base64 of DER (SubjectPublicKeyInfo); raises ValueError."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not a public key") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def is_private_key(text: str) -> bool:
    try:
        private_key(text)
    except ValueError:
        return False
    return True


def is_public_key(text: str) -> bool:
    try:
        public_key(text)
    except ValueError:
        return False
    return True


def sign(key: RSAPrivateKey, message: str) -> str:
    """The signature, in base64."""
    return base64.b64encode(key.sign(message.encode(), PKCS1v15(), SHA256())).decode()


def is_genuine(key: RSAPublicKey, message: str, signature: str) -> bool:
    """Whether the holder of the private key signed exactly this."""
    try:
        key.verify(
            base64.b64decode(signature, validate=True), message.encode(), PKCS1v15(), SHA256()
        )
    except (ValueError, InvalidSignature):
        return False
    return True


def new_pair() -> tuple[str, str]:
    """A fresh private key and its public one, as the functions above read them."""
    key = generate_private_key(65537, BITS)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()
