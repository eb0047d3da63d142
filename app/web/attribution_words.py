"""Why an order is a distributor's, in the reader's language and the shop's time."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.channels import attribution
from app.domain.channels.models import Attribution, AttributionRule
from app.web.moments import when

RULES = {
    AttributionRule.REFERRAL_CODE: N_("推广码"),
    AttributionRule.MANUAL: N_("店员更正"),
    AttributionRule.CLICK: N_("分享链接"),
    AttributionRule.BINDING: N_("买家绑定"),
}


def rule_words(rule: AttributionRule) -> str:
    """The kind of evidence, in a word."""
    return str(_(RULES[rule]))


def sentences(found: Attribution) -> list[str]:
    """Why it is hers and what follows from it, a sentence each."""
    return [
        _(message) % {name: _written(value) for name, value in params.items()}
        for message, params in attribution.why(found)
    ]


def _written(value: Any) -> str:
    return when(value) if isinstance(value, datetime) else str(value)
