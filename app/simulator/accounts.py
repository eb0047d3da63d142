"""Accounts: what may be shown of one, and the digits that choose how its orders go."""


def masked(account: str) -> str:
    """Enough to tell one's own: 138****1001, z***@qq.com, 12***89."""
    name, at, domain = account.partition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    if len(account) >= 11:
        return f"{account[:3]}{'*' * (len(account) - 7)}{account[-4:]}"
    shown = min(2, len(account) // 4)
    return f"{account[:shown]}***{account[len(account) - shown :]}"


def last_four(account: str) -> str:
    """The last four digits of an account; of an e-mail address, those before the @."""
    digits = [letter for letter in account.partition("@")[0] if letter in "0123456789"]
    return "".join(digits[-4:])
