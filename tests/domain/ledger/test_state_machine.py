"""Ten thousand random postings against a model of the books: a dict of sums."""

import itertools
import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app import create_app
from app.core.db import db, savepoint, session, transaction
from app.domain.ledger import service as ledger
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerTransaction,
)
from app.domain.ledger.rules import kind_of, natural
from app.invariants import books
from app.invariants.counting import count
from tests.conftest import settings as shop_settings
from tests.test_state_machine import migrated_copy

# Hypothesis ends some examples early.
EXAMPLES, UNITS, OPERATIONS = 20, 28, 20
# Of every kind, some that may pass below zero and some that may not.
PREFIXES = (
    *("channel", "deferred", "sales", "commission", "commission_payable"),
    *("suspense", "bank", "balance"),
)
_examples = itertools.count(1)


CHECKS = (
    books.ledger_sums_to_zero,
    books.balances_equal_entries,
    books.no_account_went_negative,
)


class Fault(Exception):
    """What undoes a unit, or a savepoint, on purpose."""


class BooksMachine(RuleBasedStateMachine):
    """Units of postings: new ones, repeated ones, refused ones, undone ones."""

    @initialize()
    def open_new_accounts(self) -> None:
        """Each example has accounts and keys of its own in books that all examples share."""
        self.example = next(_examples)
        self.accounts = [f"{prefix}:{self.example}" for prefix in PREFIXES]
        self.sums: dict[str, int] = dict.fromkeys(self.accounts, 0)
        self.keys: dict[str, dict[str, int]] = {}

    @rule(
        operations=st.lists(st.integers(0, 2**32 - 1), min_size=OPERATIONS, max_size=OPERATIONS),
        is_undone=st.integers(0, 9).map(lambda n: n == 0),
    )
    def a_unit(self, operations: list[int], is_undone: bool) -> None:
        sums, keys = dict(self.sums), dict(self.keys)

        def work() -> None:
            for operation in operations:
                self.operate(operation)
            if is_undone:
                raise Fault

        try:
            transaction(work)
        except Fault:
            self.sums, self.keys = sums, keys

    def operate(self, drawn: int) -> None:
        """What one number stands for: the way, the key, two or three accounts, the amounts."""
        way, drawn = drawn % 8, drawn // 8
        key, drawn = f"{self.example}:{drawn % 400}", drawn // 400
        accounts = [self.accounts[(drawn + step) % 8] for step in (0, 1 + drawn % 3, 5)]
        amount = 1 + drawn // 24 % 97
        lines = {accounts[0]: amount, accounts[1]: -amount}
        if way == 7 and accounts[2] not in lines:
            lines = {accounts[0]: amount, accounts[1]: amount + 1, accounts[2]: -2 * amount - 1}
        if way == 6:
            lines = {account: -sign for account, sign in lines.items()}
        refused = key not in self.keys and self.would_refuse(lines)
        before = dict(self.sums), dict(self.keys)
        may_fail = refused or way == 5
        try:
            with savepoint() if may_fail else nullcontext():
                ledger.post(key, "test", "orders", 1, lines)
                if key not in self.keys:
                    self.keys[key] = lines
                    for account, change in lines.items():
                        self.sums[account] += change
                if way == 5:
                    raise Fault
        except ledger.Insufficient:
            assert refused
            self.sums, self.keys = before
        except Fault:
            self.sums, self.keys = before
        else:
            assert not refused

    def would_refuse(self, lines: dict[str, int]) -> bool:
        return any(
            not may_go_negative and natural(kind, self.sums[account] + change) < 0
            for account, change in lines.items()
            for kind, may_go_negative in [kind_of(account)]
            if natural(kind, change) < 0
        )

    @invariant()
    def the_books_say_what_the_model_says(self) -> None:
        if not hasattr(self, "sums"):
            return
        session.rollback()
        rows = session.execute(
            sa.select(LedgerAccount.code, LedgerBalance.balance)
            .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
            .where(LedgerAccount.code.in_(self.accounts))
        )
        said = {row[0]: row[1] for row in rows}
        assert {code: said.get(code, 0) for code in self.accounts} == self.sums
        assert sum(said.values()) == 0

    def teardown(self) -> None:
        if not hasattr(self, "sums"):
            return
        session.rollback()
        booked = sa.select(LedgerTransaction.id).where(
            LedgerTransaction.key.startswith(f"{self.example}:")
        )
        entries = sa.select(LedgerEntry.id).where(LedgerEntry.transaction_id.in_(booked))
        assert count(booked) == len(self.keys)
        assert count(entries) == sum(map(len, self.keys.values()))


BooksMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=UNITS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestBooks(BooksMachine.TestCase):
    """Ten thousand operations, then everything that must be true of the books."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="hardshelf-books-"))
        app = create_app(shop_settings(cls.folder, migrated_copy(cls.folder)))
        cls.context = app.app_context()
        cls.context.push()

    @classmethod
    def tearDownClass(cls) -> None:
        found = [check(True) for check in CHECKS]
        session.remove()
        db.engine.dispose()
        cls.context.pop()
        shutil.rmtree(cls.folder)
        assert [breaches for _, breaches in found] == [0, 0, 0]
        assert all(looked_at for looked_at, _ in found)


def test_the_accounts_are_of_both_sorts() -> None:
    """Else nothing would be refused, or everything."""
    sorts = {kind_of(prefix) for prefix in PREFIXES}
    assert {may for _, may in sorts} == {True, False}
    assert {kind for kind, _ in sorts} == set(AccountKind)
