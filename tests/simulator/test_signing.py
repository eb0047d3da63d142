"""The two signatures, against values that other programs computed."""

from app.core.crypto import Secret
from app.simulator import signing


def test_the_plain_signature() -> None:
    fields = {
        "number": "R1",
        "merchant": "M1",
        "account": "13800138000",
        "sku": "10000101",
        "quantity": "1",
        "notify_url": "",
        "timestamp": "1767225600",
        "sign": "whatever",
    }

    # openssl dgst -sha256 -hmac over account=…&merchant=…&number=…&quantity=…&sku=…&timestamp=…
    expected = "63c3053b81e67a68cd418b29d9dcd319614faff15286cff6943f6c4d85b15f7a"
    assert signing.plain(Secret("k" * 32), fields) == expected


def test_the_signature_of_fulu() -> None:
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

    expected = "ec5461070145dcd51f65ab4a19dcc50b"
    assert signing.fulu(Secret("test-secret"), envelope) == expected
    assert signing.fulu(Secret("test-secret"), dict(reversed(envelope.items()))) == expected
    assert signing.fulu(Secret("test-secret"), envelope | {"sign": expected}) == expected


def test_chinese_and_slashes_are_signed_as_they_are() -> None:
    # printf '%sSECRET' '""""/:a{}值充' | md5sum
    expected = "4a9857593e2cf68607fc7344222da8e4"
    assert signing.fulu(Secret("SECRET"), {"a": "充/值"}) == expected


def test_the_secret_of_fulu_has_32_characters() -> None:
    key = Secret("0123456789" * 5)
    assert signing.fulu_secret(key).reveal() == "01234567890123456789012345678901"
