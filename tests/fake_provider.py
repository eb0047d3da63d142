"""A recharge provider that answers what a test tells it to, behind the real interface.

The real protocols are tested against the real simulator process; here it is about what the shop
makes of each answer, which must not depend on timing. Its record is the judge: what it executed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.db import transaction
from app.domain.catalog.models import RechargeProvider
from app.domain.recharges import providers
from app.domain.recharges.providers import ProviderFields
from app.providers import recharges as adapters
from app.providers.callbacks import Callback, Forged, Reply
from app.providers.recharges.interface import (
    Balance,
    Catalogue,
    Configuration,
    Exchange,
    Field,
    Notice,
    Outcome,
    Provider,
    Result,
    Wanted,
)


@dataclass
class ObedientProvider:
    """Answers with the next of `submits` and `queries`, the last of them for ever."""

    takes_number_once: bool = False
    not_found_is_final_after: timedelta = timedelta(minutes=10)
    submits: list[Outcome] = field(default_factory=lambda: [Outcome.DELIVERED])
    queries: list[Outcome] = field(default_factory=lambda: [Outcome.PENDING])
    amount: int | None = 100_000
    # What the shop asked of it, and what it executed, by number.
    calls: list[str] = field(default_factory=list)
    sent: list[Wanted] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)

    def submit(self, wanted: Wanted) -> Result:
        self.calls.append(f"submit {wanted.number}")
        self.sent.append(wanted)
        return self._say(wanted.number, "submit", self.submits)

    def query(self, number: str, sent_at: datetime) -> Result:
        self.calls.append(f"query {number}")
        return self._say(number, "query", self.queries)

    def parse_callback(self, message: Callback) -> Notice:
        raise Forged

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200, "text/plain", "success")

    def balance(self) -> Balance:
        return Balance(self.amount, Exchange("balance", "", "", 200, 3))

    def catalogue(self) -> Catalogue:
        return Catalogue(())

    @property
    def verbs(self) -> list[str]:
        return [call.split()[0] for call in self.calls]

    def _say(self, number: str, what: str, answers: list[Outcome]) -> Result:
        outcome = answers.pop(0) if len(answers) > 1 else answers[0]
        if outcome is Outcome.DELIVERED:
            self.executed.append(number)
        reason = "no" if outcome is Outcome.REFUSED else ""
        exchange = Exchange(what, "{}", "{}", 200, 12)
        return Result(outcome, reference=f"R{number}", reason=reason, exchange=exchange)


@contextmanager
def speaking(**by_name: Provider) -> Iterator[None]:
    """Within the block there is an adapter of each name, which always gives that provider."""
    before = dict(adapters.ADAPTERS)
    for name, provider in by_name.items():
        adapters.ADAPTERS[name] = adapters.Adapter(
            name, name, (Field("key", "key", is_secret=True, is_required=False),), _give(provider)
        )
    try:
        yield
    finally:
        adapters.ADAPTERS.clear()
        adapters.ADAPTERS.update(before)


def _give(provider: Provider) -> Callable[[Configuration], Provider]:
    return lambda _configuration: provider


def add_provider(name: str, **fields: object) -> RechargeProvider:
    """An account at the provider that `speaking` gave this name."""
    wanted = ProviderFields(
        **({"slug": name, "name": name, "adapter": name, "values": {}} | fields)
    )  # type: ignore[arg-type]
    return transaction(lambda: providers.create(wanted))
