"""What the places of the chart and the kinds of transactions are called; tests hold that none is
without its words."""

from collections.abc import Iterable

import sqlalchemy as sa
from flask_babel import gettext as _

from app.core.db import session
from app.core.errors import N_
from app.domain.channels.models import Distributor
from app.domain.ledger.models import AccountKind
from app.domain.ledger.rules import prefix_of
from app.web.shop import channels

ACCOUNT_KINDS = {
    AccountKind.ASSET: N_("资产"),
    AccountKind.LIABILITY: N_("负债"),
    AccountKind.INCOME: N_("收入"),
    AccountKind.EXPENSE: N_("支出"),
}

PLACES = {
    "channel": N_("渠道代收"),
    "bank": N_("银行存款"),
    "deferred": N_("已收款、待发货"),
    "suspense": N_("待处理款项"),
    "refund_payable": N_("应退买家"),
    "commission_pending": N_("待结佣金"),
    "commission_payable": N_("应付佣金"),
    "payout_pending": N_("提现处理中"),
    "tax_withheld": N_("代扣税款"),
    "balance": N_("分销商预存"),
    "sales": N_("销售收入"),
    "payout_fee": N_("提现手续费收入"),
    "commission": N_("佣金支出"),
    "channel_fee": N_("渠道手续费"),
    "writeoff": N_("核销损失"),
}

KINDS = {
    "paid": N_("收款"),
    "suspense": N_("待处理款项入账"),
    "delivered": N_("发货，确认收入"),
    "refund_requested": N_("申请退款"),
    "refunded": N_("退款完成"),
    "remitted": N_("渠道结算到账"),
    "remittance_reversed": N_("撤销渠道结算"),
    "commission_earned": N_("佣金入账"),
    "commission_ripe": N_("佣金可提现"),
    "commission_reversed": N_("收回佣金"),
    "commission_hold": N_("暂扣佣金"),
    "commission_release": N_("解除暂扣"),
    "payout_requested": N_("申请提现"),
    "payout_given_back": N_("提现退回余额"),
    "payout_paid": N_("提现已付"),
    "payout_returned": N_("提现被退回"),
}


def kind_words(kind: str) -> str:
    """A kind of transaction in the reader's language; one nobody knows is called as it is."""
    return str(_(KINDS[kind])) if kind in KINDS else kind


def place_words(prefix: str) -> str:
    """A place of the chart in the reader's language."""
    return str(_(PLACES[prefix])) if prefix in PLACES else prefix


def account_names(codes: Iterable[str]) -> dict[str, str]:
    """What each of these accounts is called: its place, and whose it is."""
    owners = {code: code.partition(":")[2] for code in codes}
    of_distributors = [
        owner for code, owner in owners.items() if owner and prefix_of(code) != "channel"
    ]
    names = _distributors(of_distributors)
    return {code: _named(prefix_of(code), owner, names) for code, owner in owners.items()}


def _named(prefix: str, owner: str, distributors: dict[str, str]) -> str:
    place = place_words(prefix)
    if not owner:
        return place
    whose = channels.title(owner) if prefix == "channel" else distributors.get(owner, owner)
    return f"{place} · {whose}"


def _distributors(uids: list[str]) -> dict[str, str]:
    if not uids:
        return {}
    rows = session.execute(
        sa.select(Distributor.uid, Distributor.name).where(Distributor.uid.in_(uids))
    )
    return {uid: name or uid for uid, name in rows}
