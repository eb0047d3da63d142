"""What a product may look like, and how its texts are made safe to show."""

import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import nh3

from app.core.errors import N_, Refusal
from app.domain.catalog.models import RECHARGED, AccountFormat, ProductKind

MAX_PRICE = 100_000_000
MAX_QUANTITY = 500
NAME_LENGTH = 80
SUMMARY_LENGTH = 120
TEXT_LENGTH = 20_000
LABEL_LENGTH = 20

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Without look-alikes and vowels: short, easy to read out, never an accidental word.
SLUG_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"

DESCRIPTION_TAGS = {
    "p",
    "br",
    "hr",
    "h3",
    "h4",
    "strong",
    "em",
    "u",
    "s",
    "ul",
    "ol",
    "li",
    "blockquote",
    "code",
    "pre",
    "a",
}


@dataclass(frozen=True)
class ProductFields:
    """Everything staff decide about a product. Money in minor units; an empty slug is made up."""

    name: str
    price: int
    slug: str = ""
    category_id: int | None = None
    summary: str = ""
    description: str = ""
    instructions: str = ""
    use_url: str = ""
    compare_at: int | None = None
    min_per_order: int = 1
    max_per_order: int = 10
    max_per_buyer: int | None = None
    low_stock_at: int = 10
    codes_case_sensitive: bool = True
    position: int = 0
    kind: ProductKind = ProductKind.KEY
    account_format: AccountFormat | None = None
    account_label: str = ""


def faults(fields: ProductFields) -> Iterator[Refusal]:
    """All that is wrong with the fields, each fault naming its field."""
    yield from _kind_faults(fields)
    if not fields.name:
        yield Refusal(N_("请填写商品名称"), field="name")
    if len(fields.name) > NAME_LENGTH:
        yield Refusal(N_("名称最多 %(most)s 个字"), field="name", most=NAME_LENGTH)
    if fields.slug and not is_slug(fields.slug):
        yield Refusal(N_("网址只能用小写字母、数字和连字符，最多 60 位"), field="slug")
    if len(fields.summary) > SUMMARY_LENGTH:
        yield Refusal(N_("一句话介绍最多 %(most)s 个字"), field="summary", most=SUMMARY_LENGTH)
    for field in ("description", "instructions"):
        if len(getattr(fields, field)) > TEXT_LENGTH:
            yield Refusal(N_("最多 %(most)s 个字"), field=field, most=TEXT_LENGTH)
    if fields.use_url and not is_web_address(fields.use_url):
        yield Refusal(N_("请填写完整网址，以 https:// 开头"), field="use_url")
    yield from _price_faults(fields)
    yield from _limit_faults(fields)


def _kind_faults(fields: ProductFields) -> Iterator[Refusal]:
    if fields.kind == ProductKind.BALANCE:
        yield Refusal(N_("请选择商品类型"), field="kind")
    if fields.kind in RECHARGED and fields.account_format is None:
        yield Refusal(N_("请选择充值账号的格式"), field="account_format")
    if len(fields.account_label) > LABEL_LENGTH:
        yield Refusal(N_("最多 %(most)s 个字"), field="account_label", most=LABEL_LENGTH)


def _price_faults(fields: ProductFields) -> Iterator[Refusal]:
    if not 0 < fields.price <= MAX_PRICE:
        yield Refusal(N_("价格要大于 0,不超过 100 万元"), field="price")
    if fields.compare_at is not None and not fields.price < fields.compare_at <= MAX_PRICE:
        yield Refusal(N_("划线价要高于售价；没有划线价就留空"), field="compare_at")


def _limit_faults(fields: ProductFields) -> Iterator[Refusal]:
    if fields.min_per_order < 1:
        yield Refusal(N_("至少是 1"), field="min_per_order")
    if not fields.min_per_order <= fields.max_per_order <= MAX_QUANTITY:
        yield Refusal(
            N_("要不少于每单最少数量，不超过 %(most)s"), field="max_per_order", most=MAX_QUANTITY
        )
    if fields.max_per_buyer is not None and fields.max_per_buyer < fields.min_per_order:
        yield Refusal(N_("要不少于每单最少数量；不限购就留空"), field="max_per_buyer")
    if fields.low_stock_at < 0:
        yield Refusal(N_("不能小于 0"), field="low_stock_at")


def is_slug(text: str) -> bool:
    return len(text) <= 60 and SLUG.fullmatch(text) is not None


def new_slug() -> str:
    """Six random symbols, 28 bits: short in a chat; the unique index guards the rare collision."""
    return "".join(secrets.choice(SLUG_ALPHABET) for _ in range(6))


def is_web_address(text: str) -> bool:
    """A full http(s) address of sane length, without a user name that could disguise its host."""
    if len(text) > 500 or any(char.isspace() or ord(char) < 32 for char in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def safe_description(text: str) -> str:
    """The HTML that is stored: plain text becomes paragraphs, HTML keeps only harmless tags."""
    cleaned = text.strip().replace("\r\n", "\n")
    if not re.search(r"<[a-zA-Z/!]", cleaned):
        paragraphs = re.split(r"\n{2,}", html.escape(html.unescape(cleaned), quote=False))
        cleaned = "\n".join(f"<p>{p.replace(chr(10), '<br>')}</p>" for p in paragraphs if p)
    return nh3.clean(
        cleaned,
        tags=DESCRIPTION_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )


def editable_description(stored: str) -> str:
    """What the form shows for a stored description: plain text again if it was plain text."""
    plain = re.sub(r"</p>\s*<p>", "\n\n", stored).replace("<br>", "\n")
    plain = plain.removeprefix("<p>").removesuffix("</p>")
    return stored if "<" in plain else html.unescape(plain)
