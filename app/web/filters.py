"""How templates write amounts, moments and covers, and what every page knows of the shop."""

import zlib

from flask import Flask

from app.core.money import SYMBOLS, yuan
from app.web.moments import shop, when
from app.web.shop import page_cache


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(money=money, when=when, cover=cover, glyph=glyph, device=device)
    # For a full address: the one that a request claims could be anybody's.
    app.jinja_env.globals["base_url"] = app.config["SETTINGS"].base_url
    # In a page that is kept for every stranger a mark stands for the token.
    app.jinja_env.globals["csrf_token"] = page_cache.csrf
    app.context_processor(lambda: {"shop": shop(), "csrf_token": page_cache.csrf})


def money(amount: int, currency: str = "CNY") -> str:
    """Minor units as text: 1234567 → "¥12,345.67"."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{SYMBOLS[currency]}{yuan(abs(amount))}"


def cover(name: str) -> int:
    """Which of the twelve covers a thing of this name has: always the same one."""
    return zlib.crc32(name.encode()) % 12 + 1


def glyph(name: str) -> str:
    """The letter on a cover: the first letter or digit of the name."""
    return next((letter.upper() for letter in name if letter.isalnum()), "·")


# In this order: what is further down calls itself by the names of what stands above it, too.
SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("AlipayClient", "Alipay"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("QQBrowser", "QQ"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def device(user_agent: str) -> str:
    """A browser in words its owner recognises: "Android · Chrome"; empty when unknown."""
    found = [
        next((name for sign, name in signs if sign in user_agent), "")
        for signs in (SYSTEMS, BROWSERS)
    ]
    return " · ".join(name for name in found if name)
