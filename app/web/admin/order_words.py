"""Words for states and channels where no template writes them: in files and on timelines."""

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.orders.models import OrderState

ORDER_WORDS = {
    OrderState.PENDING: N_("待付款"),
    OrderState.CLOSING: N_("正在关闭"),
    OrderState.EXPIRED: N_("已过期"),
    OrderState.CANCELLED: N_("已取消"),
    OrderState.PAID: N_("已付款"),
    OrderState.FULFILLING: N_("发货中"),
    OrderState.DELIVERED: N_("已发货"),
    OrderState.REFUNDING: N_("退款中"),
    OrderState.REFUNDED: N_("已退款"),
}
CHANNEL_WORDS = {"sandbox": N_("沙箱支付"), "transfer": N_("银行转账")}


def order_words(state: OrderState) -> str:
    return _(ORDER_WORDS[state])


def channel_words(name: str) -> str:
    """What a channel is called; one that is no longer configured keeps its plain name."""
    return _(CHANNEL_WORDS[name]) if name in CHANNEL_WORDS else name
