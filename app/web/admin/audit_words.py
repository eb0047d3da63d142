"""What the console calls acts, things and roles; a test holds that every act has its words."""

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.accounts.models import Role
from app.domain.accounts.rules import ROLE_WORDS

ACTIONS = {
    "attribution.correct": N_("更正订单归属"),
    "audit.export": N_("导出操作日志"),
    "batches.export": N_("导出批次"),
    "batch.create": N_("新建批次"),
    "batch.expiry": N_("更改批次有效期"),
    "batch.freeze": N_("冻结批次"),
    "batch.unfreeze": N_("解冻批次"),
    "batch.void": N_("作废批次"),
    "category.change": N_("修改分类"),
    "category.create": N_("新建分类"),
    "category.remove": N_("删除分类"),
    "code.replace": N_("补发卡密"),
    "code.reveal": N_("查看卡密明文"),
    "codes.generate": N_("生成卡密"),
    "import.resume": N_("继续导入"),
    "import.start": N_("开始导入"),
    "import.undo": N_("撤销导入"),
    "job.retry": N_("重试失败的任务"),
    "offer.add": N_("添加充值报价"),
    "offer.change": N_("修改充值报价"),
    "orders.export": N_("导出订单"),
    "order.deliver": N_("手动发货"),
    "order.link": N_("生成订单链接"),
    "order.refund": N_("申请退款"),
    "order.undelivered": N_("发货未成"),
    "pass.undo": N_("撤销核销"),
    "pass.use": N_("核销"),
    "payment.confirm": N_("确认到账"),
    "payment.suspense": N_("款项待处理"),
    "payment.ignored": N_("渠道通知未入账"),
    "people.export": N_("导出成员"),
    "person.disable": N_("停用账号"),
    "person.enable": N_("恢复账号"),
    "person.end_sessions": N_("强制退出登录"),
    "person.invite": N_("邀请成员"),
    "person.new_link": N_("生成设置密码的链接"),
    "person.password": N_("更改密码"),
    "person.recovery_code": N_("用恢复码登录"),
    "person.recovery_codes": N_("更换恢复码"),
    "person.register": N_("买家注册"),
    "person.role": N_("更改角色"),
    "person.second_factor": N_("更改两步验证"),
    "policy.set": N_("更改使用规则"),
    "preferences.change": N_("更改店铺设置"),
    "problem.answer": N_("答复买家的问题"),
    "product.change": N_("修改商品"),
    "product.create": N_("新建商品"),
    "product.picture": N_("更换商品图片"),
    "product.state": N_("商品上下架"),
    "products.export": N_("导出商品"),
    "provider.change": N_("修改供应商"),
    "provider.create": N_("添加供应商"),
    "provider.switch": N_("启停供应商"),
    "recharge.account": N_("更正充值账号"),
    "recharge.contradiction": N_("供应商前后说法不一"),
    "recharge.contradiction_settled": N_("与供应商对清"),
    "recharge.give_up": N_("放弃充值并退款"),
    "recharge.mark_delivered": N_("标记已到账"),
    "recharge.query": N_("向供应商查询"),
    "recharge.reroute": N_("改走下一个供应商"),
    "recharge.review": N_("充值转人工核实"),
    "refund.confirm": N_("确认退款已付"),
    "refund.refused": N_("退款被渠道拒绝"),
    "refund.resend": N_("重发退款"),
    "reveals.export": N_("导出卡密查看记录"),
    "recharges.export": N_("导出充值"),
    "session.begin": N_("登录后台"),
    "session.step_up": N_("再次验证身份"),
    "statement-rows.export": N_("导出对账差异"),
    "statement.settle": N_("处理对账差异"),
    "statement.take": N_("导入供应商对账单"),
}

SUBJECTS = {
    "orders": N_("订单"),
    "payments": N_("付款"),
    "refunds": N_("退款"),
    "products": N_("商品"),
    "categories": N_("分类"),
    "batches": N_("批次"),
    "codes": N_("卡密"),
    "imports": N_("导入"),
    "people": N_("账号"),
    "preferences": N_("店铺设置"),
    "recharge_providers": N_("供应商"),
    "recharges": N_("充值"),
    "recharge_statements": N_("供应商对账"),
    "statement-rows": N_("对账差异"),
    "reveals": N_("卡密查看记录"),
    "outbox": N_("后台任务"),
    "audit": N_("操作日志"),
}


def action_words(action: str) -> str:
    """An act in the reader's language."""
    return str(_(ACTIONS[action])) if action in ACTIONS else action


def role_words(role: Role | None) -> str:
    """A role in the reader's language; no role is a buyer."""
    return str(_(ROLE_WORDS[role]) if role is not None else _("买家"))
