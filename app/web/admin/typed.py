"""A form as it was typed: its texts become values, and each fault is noted at its field."""

from collections.abc import Iterable, Mapping
from datetime import date

from flask_babel import gettext as _

from app.core.errors import Refusal
from app.core.money import fen
from app.web.errors import words


class Typed:
    """The texts of a form for showing it again, and what is wrong with them, by field.

    A value that cannot be read is noted and given as the default; so a view reads all fields
    first and asks `errors` once.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        # PostgreSQL takes no NUL in a text.
        self.texts = {
            name: text.replace("\0", "").replace("\r\n", "\n").strip()
            for name, text in texts.items()
        }
        self.errors: dict[str, str] = {}

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def money(self, name: str) -> int | None:
        """An amount in fen; None when nothing was typed."""
        if not self.text(name):
            return None
        try:
            return fen(self.text(name))
        except ValueError:
            self.errors[name] = _("请填写金额，例如 12.50")
            return None

    def whole(self, name: str) -> int | None:
        """A whole number from 0; None when nothing was typed."""
        text = self.text(name)
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            self.errors[name] = _("请填写整数")
            return None
        return int(text)

    def day(self, name: str) -> date | None:
        """A date as browsers send it; None when nothing was typed."""
        if not self.text(name):
            return None
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            self.errors[name] = _("请填写日期，例如 2026-12-31")
            return None

    def note(self, refusals: Iterable[Refusal]) -> None:
        """Note what rules say; what was noted of a field before is the better answer."""
        for refusal in refusals:
            self.errors.setdefault(refusal.field, words(refusal))
