"""What a rule says when it says no: in words for the person, never in codes for a log."""


def N_(message: str) -> str:  # noqa: N802  gettext's own name for "translate me later"
    """Mark a sentence for translation; the web translates it when it is shown."""
    return message


class Refusal(Exception):
    """A rule said no. `message` is a marked Chinese sentence; `params` fill its `%(name)s`.

    `field` names the form field it belongs to. Shown with status 422 beside the form it came
    from. A refusal is an answer, not a fault: it is neither logged as an error nor retried.
    `retry_after`, in seconds, is for a refusal that time takes back.
    """

    status = 422
    retry_after: int | None = None

    def __init__(self, message: str, *, field: str = "", **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.params = params

    def __str__(self) -> str:
        return self.message % self.params if self.params else self.message


class Conflict(Refusal):
    """It was allowed once and no longer is: a second tab, a double tap, somebody was first."""

    status = 409


class NotFound(Refusal):
    """There is no such thing, or it is not yours; the two look the same to a stranger."""

    status = 404

    def __init__(self, message: str = N_("没有找到这个内容")) -> None:
        super().__init__(message)
