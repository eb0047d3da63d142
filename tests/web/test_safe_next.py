"""Where a link leads after signing in: a path of this shop, whatever it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web import access


@pytest.mark.parametrize(
    "target",
    [
        "", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "/\t/evil.example", "/\n/evil", " /admin", "evil.example",
        "/a b", "/%0d%0a\r\nSet-Cookie: a=b", "///evil.example", "/\x7f",
    ],
)  # fmt: skip
def test_no_link_leads_elsewhere(target: str) -> None:
    assert access.safe_next(target, "/here") == "/here"


def test_a_path_of_ours_is_followed() -> None:
    assert access.safe_next("/orders/123?a=b#c") == "/orders/123?a=b#c"


@given(st.text())
def test_next_is_always_a_path_here(target: str) -> None:
    followed = access.safe_next(target)
    assert followed.startswith("/")
    assert not followed.startswith(("//", "/\\"))
