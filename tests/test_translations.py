"""English is complete, and says what the Chinese says with the same placeholders."""

from tests import translations


def test_english_is_complete() -> None:
    assert list(translations.faults()) == []


def test_the_check_finds_what_is_missing() -> None:
    """A check that looks at nothing would pass too."""
    assert len(translations.wanted()) > 800
    assert {"立即支付", "订单号", "没有找到这个页面"} <= translations.wanted()
