"""Where the shop stands with its keys, for its owner: each stage of a rotation in plain words."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app import doctor
from app.core import clock
from app.core.db import session, transaction
from app.core.keys import DataKeyRow, KeyPurpose
from app.domain.accounts.models import Role
from app.domain.orders import resealing
from app.domain.vault import rotating
from app.domain.vault.models import Code
from tests import factories, people
from tests.web.visitors import Visitor, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_page_says_where_a_rotation_stands(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "CODES_PER_PIECE", 2)
    owner = people.make(Role.OWNER)
    factories.make_product(codes=5)

    def page() -> str:
        return words(Visitor(app, owner).get("/admin/keys"))

    assert "还没有轮换过" in page()
    assert "flask --app wsgi keys rotate" in page()
    rotation_id = transaction(rotating.begin).id
    resealing.work(rotation_id, until=0)
    assert "正在换上新的数据密钥 2 / 5" in page()
    factories.work()
    assert "再核对一遍，然后销毁旧的" in page()
    first = session.scalars(sa.select(Code.id).order_by(Code.id)).first()
    transaction(
        lambda: session.execute(
            sa.update(Code).where(Code.id == first).values(sealed=b"\1\1" + bytes(100))
        )
    )
    with time_machine.travel(clock.now() + timedelta(minutes=16), tick=True):
        factories.work()
        done = page()
    assert "已完成" in done and "有 1 条卡密打不开" in done
    assert Visitor(app, people.make(Role.OPERATOR)).get("/admin/keys").status_code == 403


def test_what_the_active_master_key_does_not_wrap_is_said(app: Flask) -> None:
    def symptom() -> doctor.Symptom:
        found = doctor.examine(app.config["SETTINGS"])
        return next(one for one in found if one.name == "master key")

    factories.make_product(codes=1)
    assert symptom().is_well
    of_batches = sa.update(DataKeyRow).where(DataKeyRow.purpose == KeyPurpose.BATCH)
    transaction(lambda: session.execute(of_batches.values(master_key_id="k0")))

    page = words(Visitor(app, people.make(Role.OWNER)).get("/admin/keys"))

    assert "有主密钥不在这台服务器上" in page
    assert symptom() == doctor.Symptom(
        "master key", False, "1 data keys are under an older one: run `flask keys rotate`"
    )
