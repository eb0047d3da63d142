"""The checks of `flask audit` in the merchant's words; a test holds that none is without."""

from flask_babel import gettext as _

from app.core.audit_chain import Flaw, Misfit
from app.core.errors import N_

INVARIANTS = {
    "every ledger transaction sums to zero": N_("每笔账目借贷相等"),
    "every balance equals the sum of its entries": N_("每个余额等于明细之和"),
    "no account passed below zero that may not": N_("不可为负的账户从未为负"),
    "each closed period still has its hash": N_("已结账的月份与当时的指纹一致"),
    "each delivered line has exactly what it bought": N_("每个已发货订单拿到的正是所买的"),
    "each recharged line has one delivered recharge": N_("每个直充商品恰好到账一次"),
    "each code is used as often as its uses say": N_("每张卡密的使用次数对得上"),
    "each redemption has the recharge it asked for": N_("每次兑换都有对应的充值"),
    "one live attempt a recharge, delivered once": N_("每笔充值只有一次有效的尝试"),
    "every open recharge is carried on": N_("每笔未完成的充值都有人盯着"),
    "what failed or was refunded is paid back and gone": N_("没充成的都退了款，退了款的都已失效"),
    "every held code belongs to an order that is under way": N_("每张预留的卡密都属于进行中的订单"),
    "each batch has the codes that were put into it": N_("每个批次的卡密数量对得上"),
    "nothing delivered unpaid, no money unanswered": N_("没有未付款的发货，没有无人理会的收款"),
    "each payment and refund is booked once": N_("每笔收款与退款都记账一次"),
    "no more refunded than was paid": N_("退款不超过收款"),
    "every open payment is watched": N_("每笔进行中的付款都有人盯着"),
    "every message under way is carried on": N_("每条没发完的消息都有人盯着"),
    "each balance is what was paid in, less what was bought": N_("每个进货余额等于充值减去进货"),
    "each commission is what its rule gives, less refunds": N_("每笔佣金等于规则算出的数减去退款"),
    "payable commissions are booked as they stand": N_("可提现的佣金与账目一致"),
    "waiting commissions are booked as they stand": N_("待结算的佣金与账目一致"),
    "no withdrawal is paid twice": N_("没有一笔提现付了两次"),
    "each withdrawal adds up": N_("每笔提现都等于税、手续费与实付之和"),
    "open withdrawals are booked as they stand": N_("未完成的提现与账目一致"),
    "every payout under way is carried on": N_("每笔进行中的打款都有人盯着"),
    "statements equal postings": N_("结算单与账目逐笔一致"),
    "each statement is as it was issued": N_("每张结算单与签发时一致（抽查）"),
    "each paid withdrawal has its statement": N_("每笔已打款的提现都有结算单"),
    "each withdrawal keeps the tax it was to": N_("每笔提现扣的税与计算一致"),
    "codes open under what they are bound to": N_("卡密都能按其归属解开（抽查）"),
    "shredded codes have no key any more": N_("已销毁密钥的卡密都无法再解开"),
    "no work is overdue": N_("没有逾期的后台任务"),
    "every held order waits for a person or a job": N_("每个暂缓发货的订单都有人或任务在处理"),
    "every open case has an order that is held": N_("每个待审核单的订单都还没有发货"),
    "each decision could be carried out": N_("每次风险判定都能执行"),
    "what decisions counted is what had happened": N_("风险判定用的次数与事件逐条重数一致（抽查）"),
    "no exported code is for sale": N_("导出的卡密都不再出售"),
    "each export has its two people and its entry": N_("每次导出都有两个人，都记在操作日志里"),
    "the audit log says what was sealed": N_("操作日志与封存时一致，没有被改、删、插、调换"),
    "every entry of the audit log is sealed in time": N_("操作日志都按时封存"),
}

FLAWS = {
    Flaw.MISSING: N_("第 %(seq)s 号封存不见了"),
    Flaw.GONE: N_("第 %(seq)s 号封存：第 %(entry)s 条操作日志不见了"),
    Flaw.UNFIT: N_("第 %(seq)s 号封存、第 %(entry)s 条操作日志：与封存时不符"),
    Flaw.UNSEALED: N_("第 %(entry)s 条操作日志没有封存"),
    Flaw.REPLACED: N_("第 %(seq)s 号封存不见了，或与锚点不符"),
}


def invariant_words(name: str) -> str:
    """A check in the reader's language."""
    return str(_(INVARIANTS[name])) if name in INVARIANTS else name


def misfit_words(misfit: Misfit) -> str:
    """Where in the audit log to look, and for what."""
    entry = misfit.entry_id if misfit.entry_id is not None else "—"
    return str(_(FLAWS[misfit.flaw], seq=misfit.seq, entry=entry))
