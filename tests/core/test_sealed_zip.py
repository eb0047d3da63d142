"""A ZIP under a password: what is in it comes out with the password, and not without."""

from datetime import UTC, datetime

import pytest

from app.core.crypto import Secret, Tampered
from app.core.sealed_zip import opened as sealed_zip_opened
from app.core.sealed_zip import sealed_zip
from tests.locked_zips import WrongPassword, opened

AT = datetime(2026, 11, 27, 3, 40, 20, tzinfo=UTC)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 4099])
def test_what_goes_in_comes_out(length: int) -> None:
    plain = bytes(n % 251 for n in range(length))
    made = sealed_zip("卡密.txt", plain, Secret("一个很长的密码 ok"), AT)
    assert opened(made, "一个很长的密码 ok") == ("卡密.txt", plain)
    assert sealed_zip_opened(made, Secret("一个很长的密码 ok")) == plain
    with pytest.raises(Tampered):
        sealed_zip_opened(made, Secret("另一个密码"))
    assert length < 15 or plain[:15] not in made


def test_another_password_opens_nothing_and_no_two_archives_are_alike() -> None:
    one, two = (sealed_zip("a.txt", b"x" * 64, Secret("right right right"), AT) for _ in range(2))
    assert one != two
    refused = 0
    for n in range(4):
        try:
            opened(one, f"wrong wrong {n}")
        except (WrongPassword, AssertionError):
            refused += 1
    assert refused == 4
