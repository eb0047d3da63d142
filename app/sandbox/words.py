"""The channel's own words, in its two languages; it is not the shop and has no catalogue."""

WORDS = {
    "zh": {
        "title": "沙箱支付", "note": "这是测试用的支付渠道,不会产生真实扣款", "pay": "确认支付",
        "back": "返回商家", "order": "支付单号", "subject": "商品", "expires": "付款期限",
        "paid": "这笔款项已经支付", "closed": "这笔交易已关闭,不能再支付",
        "expired": "付款时间已过,请返回商家重新下单", "forged": "支付链接无效,请返回商家重新发起",
        "faults": "测试异常情况", "duplicates": "重复通知次数", "delay": "通知延迟(秒)",
        "wrong_amount": "实付金额偏差(分)", "no_callback": "不发通知", "forged_fault": "伪造签名",
        "late": "过期后仍可支付",
    },
    "en": {
        "title": "Sandbox Pay", "note": "A payment channel for testing: no real money moves",
        "pay": "Pay now", "back": "Back to the shop", "order": "Payment number",
        "subject": "Item", "expires": "Pay by", "paid": "This has been paid",
        "closed": "This trade is closed and cannot be paid any more",
        "expired": "The time to pay is over; please order again at the shop",
        "forged": "This payment link is not valid; please start again at the shop",
        "faults": "Test faults", "duplicates": "Duplicate callbacks",
        "delay": "Delay the callback (seconds)", "wrong_amount": "Pay a wrong amount (± fen)",
        "no_callback": "Send no callback", "forged_fault": "Forge the signature",
        "late": "Accept payment after expiry",
    },
}


def words(language: str) -> dict[str, str]:
    return WORDS["en" if language.startswith("en") else "zh"]
