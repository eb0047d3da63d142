"""An amount in Chinese capitals (人民币大写), as 支付结算办法, annex 1, wants it on paper."""

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")


def capitals(amount: int) -> str:
    """Minor units in words: 140950 → 人民币壹仟肆佰零玖元伍角.

    Zeros within are one 零. Where the rules leave a choice (the last digit before 万 or 元 is 0 and
    the next one is not) it is written after 元 and not after 万. 整 stands after 元 alone. A
    negative amount is 负.
    """
    sign = "负" if amount < 0 else ""
    yuan, cents = divmod(abs(amount), 100)
    jiao, fen = divmod(cents, 10)
    words = f"{_whole(yuan)}元" if yuan else ""
    if jiao:
        words += ("零" if yuan and yuan % 10 == 0 else "") + f"{DIGITS[jiao]}角"
    if fen:
        words += ("零" if yuan and not jiao else "") + f"{DIGITS[fen]}分"
    elif not jiao:
        words = f"{words or '零元'}整"
    return f"人民币{sign}{words}"


def _whole(number: int) -> str:
    """A whole number below 10^16, group by group of four digits."""
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    words = ""
    for place in reversed(range(len(groups))):
        group = groups[place]
        if not group:
            continue
        # A zero in front of the group, or a whole group of them before it.
        if words and (group < 1000 or not groups[place + 1]):
            words += "零"
        words += _group(group) + GROUPS[place]
    return words


def _group(group: int) -> str:
    words, has_gap = "", False
    for place in reversed(range(4)):
        digit = group // 10**place % 10
        if not digit:
            has_gap = bool(words)
            continue
        words += ("零" if has_gap else "") + DIGITS[digit] + PLACES[place]
        has_gap = False
    return words
