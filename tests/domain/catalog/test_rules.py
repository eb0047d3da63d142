"""What a product may look like, and what its texts become."""

import pytest

from app.domain.catalog.rules import (
    ProductFields,
    editable_description,
    faults,
    is_slug,
    is_web_address,
    new_slug,
    safe_description,
)

GOOD: dict[str, object] = {"name": "视频会员月卡", "price": 1500}


def faulty(**changes: object) -> list[str]:
    return [fault.field for fault in faults(ProductFields(**GOOD | changes))]  # type: ignore[arg-type]


def test_a_name_and_a_price_are_enough() -> None:
    assert faulty() == []


@pytest.mark.parametrize(
    ("_case", "changes", "field"),
    [
        ("nothing to call it", {"name": ""}, "name"),
        ("a name that fills the page", {"name": "长" * 81}, "name"),
        ("free", {"price": 0}, "price"),
        ("below nothing", {"price": -1}, "price"),
        ("beyond the most", {"price": 100_000_001}, "price"),
        ("struck through without a saving", {"compare_at": 1500}, "compare_at"),
        ("a slug with capitals", {"slug": "VIP"}, "slug"),
        ("a slug with a path in it", {"slug": "../admin"}, "slug"),
        ("none at a time", {"min_per_order": 0}, "min_per_order"),
        ("most below least", {"min_per_order": 3, "max_per_order": 2}, "max_per_order"),
        ("the whole store at once", {"max_per_order": 501}, "max_per_order"),
        (
            "a buyer may have less than one order",
            {"min_per_order": 2, "max_per_buyer": 1},
            "max_per_buyer",
        ),
        ("a warning below zero", {"low_stock_at": -1}, "low_stock_at"),
        ("a link that is a script", {"use_url": "javascript:alert(1)"}, "use_url"),
        ("a summary like a novel", {"summary": "长" * 121}, "summary"),
        ("instructions like a library", {"instructions": "长" * 20_001}, "instructions"),
    ],
)
def test_each_fault_names_its_field(_case: str, changes: dict[str, object], field: str) -> None:
    assert field in faulty(**changes)


def test_all_faults_are_told_at_once() -> None:
    assert faulty(name="", price=0, use_url="x") == ["name", "use_url", "price"]


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("https://example.com/redeem?code=1", True),
        ("http://example.com", True),
        ("//example.com", False),
        ("example.com", False),
        ("https://", False),
        ("https://bank.example@evil.example", False),
        ("https://exa mple.com", False),
        ("https://example.com/\n", False),
        ("https://[::1", False),
        ("https://example.com/" + "a" * 500, False),
    ],
)
def test_a_web_address_is_full_and_hides_nothing(address: str, is_good: bool) -> None:
    assert is_web_address(address) is is_good


def test_a_made_up_slug_is_one() -> None:
    assert is_slug(new_slug())
    assert len({new_slug() for _ in range(100)}) > 95


@pytest.mark.parametrize(
    ("_case", "typed", "stored"),
    [
        ("plain text", "第一段\n第二行\n\n第三段", "<p>第一段<br>第二行</p>\n<p>第三段</p>"),
        ("plain text with signs", "1 < 2 & 3 > 2", "<p>1 &lt; 2 &amp; 3 &gt; 2</p>"),
        ("nothing", "  ", ""),
        ("a script", "<p>好</p><script>steal()</script>", "<p>好</p>"),
        ("a handler", '<p onclick="steal()">好</p>', "<p>好</p>"),
        ("a style", '<p style="position:fixed" class="x">好</p>', "<p>好</p>"),
        ("a picture that tells who looks", '<img src="https://spy.example/1">好', "好"),
        ("a frame", '<iframe src="https://spy.example"></iframe>好', "好"),
        (
            "a script in a link",
            '<a href="javascript:x()">去</a>',
            '<a rel="noopener nofollow">去</a>',
        ),
        ("a half-open tag", "好<b", "好"),
        ("a comment", "<!-- x -->好", "好"),
    ],
)
def test_a_description_keeps_words_and_loses_teeth(_case: str, typed: str, stored: str) -> None:
    assert safe_description(typed) == stored


@pytest.mark.parametrize("text", ["第一段\n第二行\n\n第三段", "1 < 2 & 3", "一行", ""])
def test_plain_text_comes_back_to_the_form_as_it_was_typed(text: str) -> None:
    assert editable_description(safe_description(text)) == text


def test_saving_what_the_form_shows_changes_nothing() -> None:
    for typed in (
        "<h3>标题</h3><p>好</p>",
        "第一段\n\n第二段",
        '看<a href="https://x.example">这里</a>',
    ):
        once = safe_description(typed)
        assert safe_description(editable_description(once)) == once
