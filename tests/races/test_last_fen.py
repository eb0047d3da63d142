"""The last fen of an account, wanted by two at once: one gets it, the other hears no."""

from flask import Flask

from app.core.db import session, transaction
from app.domain.ledger import queries
from app.domain.ledger import service as ledger
from tests.people import at_once

SPENDERS, FEN = 12, 5


def test_the_last_fen_is_spent_once(app: Flask) -> None:
    fund = {"channel:sandbox": FEN, "balance:d1": -FEN}
    transaction(lambda: ledger.post("fund", "test", "orders", 1, fund))

    def spend(number: int) -> str:
        lines = {"balance:d1": 1, "sales": -1}
        transaction(lambda: ledger.post(f"spend:{number}", "test", "orders", number, lines))
        return "spent"

    answers = at_once(app, [lambda number=n: spend(number) for n in range(SPENDERS)])

    assert answers.count("spent") == FEN
    assert sum(isinstance(answer, ledger.Insufficient) for answer in answers) == SPENDERS - FEN
    session.rollback()
    balances = {group.prefix: group.balance for group in queries.groups()}
    assert balances == {"channel": FEN, "balance": 0, "sales": FEN}
