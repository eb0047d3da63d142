"""Who did it, in words: people by name, the rest by what they are."""

import re
from collections.abc import Iterable

from flask_babel import gettext as _

from app.domain.accounts import queries


def named(actors: Iterable[str]) -> dict[str, str]:
    """What to call each of these actors."""
    each = set(actors)
    ids = {
        actor: int(actor.removeprefix("person:"))
        for actor in each
        if re.fullmatch(r"person:\d+", actor)
    }
    names = queries.names_of(list(ids.values()))
    return {actor: names.get(ids.get(actor, 0)) or kind_words(actor) for actor in each}


def kind_words(actor: str) -> str:
    """What kind of actor this is; one that nobody knows is called as it is."""
    words = {
        "guest": _("访客"),
        "channel": _("支付渠道"),
        "provider": _("供应商"),
        "job": _("系统"),
        "system": _("系统"),
        "command": _("命令行"),
    }
    return words.get(actor.partition(":")[0], actor)
