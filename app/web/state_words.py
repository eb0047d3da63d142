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
        "held": Look(N_("审核中"), "wait", "shield-check"),
        "fulfilling": Look(N_("发货中"), "info", "package"),
        "delivered": Look(N_("已发货"), "good"),
        "refunding": Look(N_("退款中"), "wait", "undo-2"),
        "refunded": Look(N_("已退款"), "neutral", "undo-2"),
    },
    "risk_case": {
        "open": Look(N_("待审核"), "wait"),
        "in_review": Look(N_("正在看"), "info", "eye"),
        "approved": Look(N_("已放行"), "good"),
        "rejected": Look(N_("已拒绝"), "neutral", "ban"),
        "released": Look(N_("到时自动放行"), "good", "clock"),
    },
    "risk_action": {
        "allow": Look(N_("直接放行"), "good"),
        "notify": Look(N_("放行并通知"), "info", "bell"),
        "hold_commission": Look(N_("暂扣佣金"), "wait", "clock"),
        "captcha": Look(N_("要求验证"), "info", "shield-check"),
        "limit": Look(N_("限购"), "wait", "hourglass"),
        "delay": Look(N_("延后发货"), "wait", "hourglass"),
        "hold": Look(N_("先审核"), "wait", "clock"),
        "block": Look(N_("阻止"), "bad", "ban"),
        "freeze": Look(N_("冻结"), "bad", "snowflake"),
    },
    "risk_rule": {
        "on": Look(N_("已开启"), "good"),
        "shadow": Look(N_("只观察"), "info", "eye"),
        "off": Look(N_("未开启"), "neutral"),
    },
    "risk_list": {
        "trust": Look(N_("信任名单"), "good", "check"),
        "block": Look(N_("黑名单"), "bad", "ban"),
        "watch": Look(N_("观察名单"), "info", "eye"),
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
    "rotation": {
        "resealing": Look(N_("进行中"), "info", "loader-circle"),
        "settling": Look(N_("等待核对"), "wait", "hourglass"),
        "done": Look(N_("已完成"), "good"),
        "superseded": Look(N_("已由后一次接手"), "neutral", "history"),
    },
    "alarm": {
        "open": Look(N_("待处理"), "bad"),
        "closed": Look(N_("已关闭"), "neutral", "check"),
    },
    "replacement": {
        "waiting": Look(N_("正在换新"), "info", "loader-circle"),
        "replaced": Look(N_("已换新"), "good"),
        "left": Look(N_("没换"), "neutral", "x"),
        "sold_out": Look(N_("没换：缺货"), "bad"),
        "used": Look(N_("没换：已用过"), "neutral", "check"),
        "gone": Look(N_("没换：已退款或作废"), "neutral", "ban"),
    },
    "code_export": {
        "requested": Look(N_("待批准"), "wait"),
        "approved": Look(N_("待下载"), "info", "clock"),
        "downloaded": Look(N_("已下载"), "good"),
        "refused": Look(N_("被拒绝"), "neutral", "ban"),
        "cancelled": Look(N_("已撤回"), "neutral", "x"),
        "over": Look(N_("已失效"), "neutral", "clock"),
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
    "withdrawal": {
        "requested": Look(N_("待审核"), "wait"),
        "approved": Look(N_("待打款"), "info", "circle-check"),
        "paying": Look(N_("打款中"), "info", "loader-circle"),
        "awaiting_payee": Look(N_("待确认收款"), "wait", "user"),
        "unknown": Look(N_("结果未知"), "wait", "circle-help"),
        "paid": Look(N_("已打款"), "good"),
        "returned": Look(N_("已退回"), "bad", "undo-2"),
        "refused": Look(N_("未打款"), "neutral", "ban"),
    },
    "settlement": {
        "waiting": Look(N_("待确认"), "wait"),
        "confirmed": Look(N_("已确认"), "good"),
        "auto_confirmed": Look(N_("默认确认"), "good"),
        "disputed": Look(N_("有异议"), "bad", "circle-help"),
        "answered": Look(N_("异议已答复"), "info", "check"),
        "superseded": Look(N_("已被更正"), "neutral", "history"),
    },
    "invoice": {
        "submitted": Look(N_("待核对"), "wait"),
        "accepted": Look(N_("已通过"), "good"),
        "refused": Look(N_("未通过"), "bad", "x"),
    },
    "tax_mode": {
        "individual_per_month": Look(N_("劳务报酬，按月预扣"), "neutral"),
        "individual_cumulative": Look(N_("平台从业人员，累计预扣"), "neutral"),
        "business_invoice": Look(N_("凭发票结算，不代扣"), "neutral"),
        "outsourced": Look(N_("由灵活用工机构代扣"), "neutral"),
        "non_resident": Look(N_("非居民个人"), "neutral"),
    },
    "identity_kind": {
        "resident_id": Look(N_("居民身份证"), "neutral"),
        "passport": Look(N_("护照"), "neutral"),
        "permit": Look(N_("港澳台通行证"), "neutral"),
        "credit_code": Look(N_("营业执照"), "neutral"),
    },
    "statement_line": {
        "earning": Look(N_("佣金"), "good"),
        "reversal": Look(N_("退款冲回"), "bad", "undo-2"),
        "withdrawn": Look(N_("提现"), "neutral", "wallet-cards"),
        "given_back": Look(N_("提现退回"), "neutral", "undo-2"),
        "adjustment": Look(N_("调整"), "neutral", "pencil"),
    },
    "payout_account_kind": {
        "bank_card": Look(N_("银行卡"), "neutral"),
        "alipay": Look(N_("支付宝"), "neutral"),
        "company": Look(N_("公司账户"), "neutral"),
    },
    "statement_row": {
        "matched": Look(N_("一致"), "good"),
        "differs": Look(N_("有差异"), "bad"),
        "settled": Look(N_("已处理"), "neutral", "check"),
    },
    "distributor": {
        "applied": Look(N_("待审核"), "wait"),
        "active": Look(N_("合作中"), "good"),
        "suspended": Look(N_("已暂停"), "bad", "ban"),
        "refused": Look(N_("未通过"), "neutral", "circle-x"),
    },
    "plan": {
        "draft": Look(N_("草稿"), "neutral", "pencil"),
        "published": Look(N_("使用中"), "good"),
        "retired": Look(N_("已停用"), "neutral", "history"),
    },
    "commission": {
        "pending": Look(N_("待发货"), "wait", "package"),
        "holding": Look(N_("待结算"), "wait", "hourglass"),
        "on_hold": Look(N_("已暂扣"), "bad", "lock"),
        "payable": Look(N_("可提现"), "good"),
        "settling": Look(N_("提现中"), "info", "send"),
        "paid": Look(N_("已提现"), "neutral", "check"),
        "reversed": Look(N_("已扣回"), "neutral", "undo-2"),
        "clawed_back": Look(N_("提现后扣回"), "neutral", "undo-2"),
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
