"""The leak drill runs, touches nothing but itself, and its figures are right; and it can fail."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import keys
from app.core.db import db, session
from app.domain.accounts.models import Role
from app.domain.vault import canaries, watching
from app.domain.vault.models import Batch, Code
from app.drill import database_theft, searching, staff_leak
from app.drill.report import Line, Report
from app.drill.shop import Shop
from app.drill.staff_leak import EXPORTED
from tests import factories, people

pytestmark = [
    pytest.mark.own_app,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def test_nothing_gets_through_and_the_real_shop_is_not_touched(app: Flask) -> None:
    factories.make_product(codes=2)
    before = session.scalars(sa.select(Code.sealed)).all()
    session.rollback()

    answer = app.test_cli_runner().invoke(args=["drill", "leak", "--json"])

    assert answer.exit_code == 0, answer.output
    figures = json.loads(answer.output.splitlines()[-1])
    assert figures["got_through"] == 0
    assert figures["revealed"] == figures["recorded"] == watching.MOST_A_NIGHT_HOUR
    assert figures["stopped"] == 12 - watching.MOST_A_NIGHT_HOUR
    assert (figures["exported"], figures["alone"], figures["twice"]) == (EXPORTED, 0, 0)
    assert 1 <= figures["tries"] <= EXPORTED + 1 and figures["redeemed"] == 0
    assert figures["concerned"] == figures["replaced"] == 12
    assert figures["recalled"] == figures["made_anew"] == 120 - 12 - EXPORTED
    # The demo's, the batch's and what was made anew, with their canaries and the watermark.
    assert figures["codes_planted"] >= 120 + figures["made_anew"] + 2 * canaries.PER_BATCH + 1
    assert figures["codes_found"] == figures["contacts_found"] == 0
    assert figures["numbers_found"] == figures["numbers_planted"] >= 12
    assert figures["data_keys_opened"] == figures["hits"] == 0
    assert figures["right_guesses"] == database_theft.KNOWN + 12
    # This process has its own keys again.
    assert keys.check().closed == 0
    session.rollback()
    assert session.scalars(sa.select(Code.sealed)).all() == before


def test_what_gets_through_is_said(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of staff who is not stopped, and a table with a contact in the clear."""
    monkeypatch.setattr(watching, "stop_if_unusual", lambda *_: False)
    product = factories.make_product(codes=30)
    phones = tuple(factories.contact() for _ in range(7))
    for phone in phones:
        factories.buy(product, phone=phone)
    path = db.engine.url.database
    assert path is not None
    who = f"person:{people.make(Role.SUPPORT).id}"
    made = Shop(Path(path), who, who, who, session.scalars(sa.select(Batch.id)).one(), phones)
    lines: list[Line] = []
    report = Report(lines.append)
    codes = searching.codes()

    staff_leak._copy_codes(made, report)
    database_theft._search(made, codes, report)
    assert [line.held for line in lines] == [False, False, None, True, True]
    with closing(sqlite3.connect(path)) as open_book, open_book:
        open_book.execute("CREATE TABLE notes AS SELECT ? AS text", (phones[0],))
    database_theft._search(made, codes, report)

    assert report.figures["contacts_found"] == 1 and report.figures["codes_found"] == 0
    assert [line.words for line in lines if line.held is False][2].startswith("looked in all of it")
    assert report.got_through == 3
