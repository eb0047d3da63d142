"""Calls as the log may keep them: what we understand is shown, everything else is not.

Known secrets become ***, an account its last four; of an answer only the fields that the adapter
reads are shown whole, and what is too short to be anybody's. So an account that a supplier writes
into a field nobody knows of stays out of the log all the same.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlsplit

from app.core.crypto import Secret
from app.providers.callbacks import Callback
from app.providers.recharges.answers import tidy
from app.providers.recharges.interface import Exchange
from app.providers.safe_http import Answer, Request

LIMIT = 2000
# A value this short may be shown whatever it is: "ok", "200", "true".
HARMLESS = 4
NAME_LENGTH = 40
ROWS_SHOWN = 3
HIDDEN, UNSHOWN = "***", "…"

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# A phone or QQ number, also right beside Chinese words.
DIGITS = re.compile(r"(?<![0-9A-Za-z])\+?\d{5,}(?![0-9A-Za-z])")


def last_four(account: str) -> str:
    """…5678; of a short account no more than half."""
    shown = min(4, len(account) // 2)
    return UNSHOWN + account[len(account) - shown :]


@dataclass(frozen=True)
class Legible:
    """The names of the fields that a log may show: `values` whole, `words` without what looks like
    an account, `accounts` by their end."""

    values: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()


class Mask:
    """Takes what must not be read out of a text: `secrets` wholly, an account but for its end."""

    def __init__(self, secrets: Iterable[Secret], account: Secret | None = None) -> None:
        self._places: dict[str, str] = {}
        if account:
            text = account.reveal()
            bare = re.sub(r"[^0-9A-Za-z]", "", text)
            for writing in _writings(text) | ({bare} if len(bare) > HARMLESS else set()):
                self._places[writing] = last_four(text)
        for secret in secrets:
            self._places |= dict.fromkeys(_writings(secret.reveal()), HIDDEN)
        longest_first = sorted(self._places, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __repr__(self) -> str:
        return "Mask()"

    def known(self, text: str) -> str:
        """Without the secrets and the account that are known."""
        return self._known.sub(lambda found: self._places[found.group()], text)

    def words(self, text: str) -> str:
        """A sentence of the provider's, also without what looks like anybody's account."""
        text = EMAIL.sub(lambda found: last_four(found.group()), self.known(text))
        return DIGITS.sub(lambda found: last_four(found.group()), text)


def exchange(
    what: str,
    request: Request,
    fields: Mapping[str, str],
    answer: Answer,
    said: object,
    legible: Legible,
    mask: Mask,
) -> Exchange:
    """A call as it is kept. `fields` are what the request says; `said` is the answer's body, read,
    or None when it could not be."""
    return Exchange(
        what,
        _request_shown(request, fields, legible, mask),
        _answer_shown(answer, said, legible, mask),
        answer.status,
        answer.milliseconds,
    )


def callback_exchange(
    message: Callback, fields: Mapping[str, object], legible: Legible, mask: Mask
) -> Exchange:
    """A callback as it is kept. Whose account it is about cannot be known here."""
    text = json.dumps(_sketch(fields, legible, mask), ensure_ascii=False)
    return Exchange(
        "callback", _bounded(f"{message.method} {message.path}", mask.known(text)), "", 200, 0
    )


def _request_shown(
    request: Request, fields: Mapping[str, str], legible: Legible, mask: Mask
) -> str:
    parts = urlsplit(request.url)
    # Without its query: there a field may stand that is not to be seen.
    where = mask.known(f"{request.method} {parts.scheme}://{parts.netloc}{parts.path}")
    return _bounded(
        where,
        *(
            f"{tidy(name, NAME_LENGTH)}={mask.known(str(_sketch(value, legible, mask, name)))}"
            for name, value in fields.items()
        ),
    )


def _answer_shown(answer: Answer, said: object, legible: Legible, mask: Mask) -> str:
    if answer.trouble:
        return answer.trouble
    if said is None:
        return _bounded(mask.words(answer.body[:LIMIT].decode("utf-8", "replace")))
    return _bounded(mask.known(json.dumps(_sketch(said, legible, mask), ensure_ascii=False)))


def _bounded(*lines: str) -> str:
    return "\n".join(tidy(line, LIMIT) for line in lines)[:LIMIT]


def _sketch(said: object, legible: Legible, mask: Mask, name: str = "") -> object:
    """The shape of what was said, with the values that may be shown."""
    if isinstance(said, Mapping):
        return {
            tidy(mask.words(str(key)), NAME_LENGTH): _sketch(value, legible, mask, str(key))
            for key, value in said.items()
        }
    if isinstance(said, list):
        shown = [_sketch(value, legible, mask, name) for value in said[:ROWS_SHOWN]]
        return shown if len(said) <= ROWS_SHOWN else [*shown, UNSHOWN]
    return _shown(said, legible, mask, name) if isinstance(said, str) else said


def _shown(text: str, legible: Legible, mask: Mask, name: str) -> str:
    if name in legible.accounts:
        return last_four(text)
    if name in legible.words:
        return mask.words(text)
    return text if name in legible.values or len(text) <= HARMLESS else UNSHOWN


def _writings(text: str) -> set[str]:
    """The ways a text may stand in a URL, a form, JSON, and JSON within JSON."""
    if not text:
        return set()
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(one)[1:-1] for one in escaped}
    return {text, quote(text, safe=""), quote(text), quote_plus(text)} | escaped | twice
