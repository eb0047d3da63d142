"""What every state is called and how its badge looks: the one place for both."""

from typing import NamedTuple

from flask import Flask
from flask_babel import gettext as _

from app.core.errors import N_


class Look(NamedTuple):
    """A marked word, the badge's tone, and an icon instead of the tone's own."""

    word: str
    tone: str
    icon: str = ""


LOOKS: dict[str, dict[str, Look]] = {
    "order": {
        "pending": Look(N_("待付款"), "wait"),
        "closing": Look(N_("正在关闭"), "neutral", "loader-circle"),
        "expired": Look(N_("已过期"), "neutral", "clock"),
        "cancelled": Look(N_("已取消"), "neutral", "x"),
        "paid": Look(N_("已付款"), "info", "circle-check"),
        "fulfilling": Look(N_("发货中"), "info", "package"),
        "delivered": Look(N_("已发货"), "good"),
        "refunding": Look(N_("退款中"), "wait", "undo-2"),
        "refunded": Look(N_("已退款"), "neutral", "undo-2"),
    },
    "payment": {
        "pending": Look(N_("待支付"), "wait"),
        "paid": Look(N_("已支付"), "good"),
        "closed": Look(N_("已关闭"), "neutral", "x"),
        "suspense": Look(N_("待处理款项"), "bad"),
        "refunded": Look(N_("已退回"), "neutral", "undo-2"),
    },
    "refund": {
        "requested": Look(N_("已申请"), "wait"),
        "sending": Look(N_("退款中"), "info", "loader-circle"),
        "unknown": Look(N_("结果未知"), "wait", "circle-help"),
        "succeeded": Look(N_("已退款"), "good"),
        "refused": Look(N_("被拒绝"), "bad"),
    },
    "code": {
        "available": Look(N_("可售"), "good"),
        "reserved": Look(N_("已预留"), "wait"),
        "sold": Look(N_("已售出"), "info", "receipt-text"),
        "exhausted": Look(N_("已用完"), "neutral", "check"),
        "frozen": Look(N_("已冻结"), "wait", "snowflake"),
        "void": Look(N_("已作废"), "neutral", "ban"),
    },
    "batch": {
        "importing": Look(N_("导入中"), "info", "loader-circle"),
        "open": Look(N_("可售"), "good"),
        "frozen": Look(N_("已冻结"), "wait", "snowflake"),
        "void": Look(N_("已作废"), "neutral", "ban"),
    },
    "import": {
        "uploaded": Look(N_("待确认"), "wait"),
        "running": Look(N_("导入中"), "info", "loader-circle"),
        "done": Look(N_("已完成"), "good"),
        "failed": Look(N_("失败"), "bad"),
        "undone": Look(N_("已撤销"), "neutral", "undo-2"),
    },
    "product": {
        "draft": Look(N_("草稿"), "neutral", "pencil"),
        "on_sale": Look(N_("在售"), "good"),
        "off_sale": Look(N_("已下架"), "wait", "arrow-down"),
        "archived": Look(N_("已归档"), "neutral", "package"),
    },
    "recharge": {
        "queued": Look(N_("排队中"), "wait", "hourglass"),
        "running": Look(N_("充值中"), "info", "loader-circle"),
        "review": Look(N_("待人工核实"), "bad", "user"),
        "delivered": Look(N_("已到账"), "good"),
        "failed": Look(N_("充值失败"), "neutral", "circle-x"),
    },
    "attempt": {
        "sending": Look(N_("提交中"), "info", "send"),
        "pending": Look(N_("已受理"), "info", "loader-circle"),
        "unknown": Look(N_("结果未知"), "wait", "circle-help"),
        "review": Look(N_("待人工核实"), "bad", "user"),
        "delivered": Look(N_("已到账"), "good"),
        "refused": Look(N_("被拒绝"), "neutral", "ban"),
    },
    "redemption": {
        "pending": Look(N_("兑换中"), "info", "loader-circle"),
        "succeeded": Look(N_("已使用"), "good"),
        "failed": Look(N_("未成功，次数已退回"), "neutral", "undo-2"),
    },
    "message": {
        "queued": Look(N_("等待再发"), "wait", "hourglass"),
        "sending": Look(N_("发送中"), "info", "send"),
        "sent": Look(N_("已发出"), "good"),
        "refused": Look(N_("没有发出"), "bad", "ban"),
        "unknown": Look(N_("不确定是否发出"), "wait", "circle-help"),
    },
    "statement_row": {
        "matched": Look(N_("一致"), "good"),
        "differs": Look(N_("有差异"), "bad"),
        "settled": Look(N_("已处理"), "neutral", "check"),
    },
    "channel_row": {
        "matched": Look(N_("一致"), "good"),
        "differs": Look(N_("有差异"), "bad"),
        "settled": Look(N_("已处理"), "neutral", "check"),
    },
    "remittance": {
        "booked": Look(N_("已入账"), "good"),
        "reversed": Look(N_("已撤销"), "neutral", "undo-2"),
    },
    "person": {
        "active": Look(N_("正常"), "good"),
        "disabled": Look(N_("已停用"), "bad", "ban"),
    },
    "problem": {
        "open": Look(N_("待处理"), "wait"),
        "solved": Look(N_("已解决"), "good"),
    },
}


def init_app(app: Flask) -> None:
    app.jinja_env.globals["look_of"] = look_of


def look_of(kind: str, state: str) -> Look:
    """How a thing of this kind looks in this state, its word in the reader's language."""
    look = LOOKS[kind][state]
    return look._replace(word=_(look.word))


def word(kind: str, state: str) -> str:
    return look_of(kind, state).word


def options(kind: str) -> list[tuple[str, str]]:
    """Every state with its word, for a filter."""
    return [(state, word(kind, state)) for state in LOOKS[kind]]
