"""Killed between the intent and the call, and between the call and its record: paid once.

The channel is the real sandbox, and its own record is the judge.
"""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app import invariants
from app.core import clock
from app.core.crashpoints import KILLED
from app.core.db import session
from app.core.outbox import OutboxRow
from app.domain.payouts.models import Withdrawal, WithdrawalState
from tests import factories, paying_out
from tests.conftest import MASTER_KEY
from tests.domain.recharges.test_crash_points import RUN
from tests.gateway import Gateway
from tests.servers import ROOT


def run_and_die(app: Flask, gateway: Gateway, row_id: int, point: str) -> int:
    """Another process runs the job and is killed at the point; its exit code."""
    config = app.config["SETTINGS"]
    environment = {
        "DATA_DIR": str(config.data_dir),
        "DATABASE_URL": config.database_url,
        "SECRET_KEY": config.secret_key,
        "MASTER_KEYS": MASTER_KEY,
        "SHOP_ENV": "test",
        "CRASH_AT": point,
    }
    return subprocess.run(
        [sys.executable, "-c", RUN, str(row_id)],
        cwd=ROOT,
        env=os.environ | environment | gateway.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def work_in(after: timedelta) -> None:
    with time_machine.travel(clock.now() + after, tick=True):
        session.rollback()
        factories.take_over()
        factories.work()


def state_of(withdrawal: Withdrawal) -> WithdrawalState:
    return paying_out.fresh(withdrawal).state


@pytest.mark.parametrize(
    ("database_url", "point", "was_paid"),
    [
        ("sqlite", "payout.intended", []),
        ("postgres", "payout.called", [5000]),
    ],
    indirect=["database_url"],
)
def test_killed_and_carried_on(
    app: Flask, gateway: Gateway, point: str, was_paid: list[int]
) -> None:
    with paying_out.paying_through(gateway.adapter()):
        withdrawal = paying_out.submitted(paying_out.make_distributor(payable=5000), 5000)
        name = "app.domain.payouts.jobs.pay"
        row_id = session.scalars(sa.select(OutboxRow.id).where(OutboxRow.name == name)).one()
        session.remove()

        assert run_and_die(app, gateway, row_id, point) == KILLED
        assert gateway.paid(withdrawal.number) == was_paid
        for minutes in (5, 7):
            work_in(timedelta(minutes=minutes))

        assert state_of(withdrawal) == WithdrawalState.PAID
        assert gateway.paid(withdrawal.number) == [5000]
        assert [finding for finding in invariants.run() if not finding.holds] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whatever_the_channel_does_nobody_is_paid_twice(app: Flask, gateway: Gateway) -> None:
    """Time-outs before and after the effect, an error that is none, a wait, a payee who confirms
    late: all at the real protocol, and one that comes back in the end."""
    faults = [
        {"fails": 1},
        {"fails_after": 1},
        {"system_error": 1, "query_fails": 1},
        {"dealing": 2},
        {"awaiting_payee": 1},
        {"returned": 1},
    ]
    with paying_out.paying_through(gateway.adapter()):
        asked = [paying_out.make_distributor(payable=5000) for _ in faults]
        made = [paying_out.ask(one, 5000, paying_out.add_account(one)) for one in asked]
        for withdrawal, wanted in zip(made, faults, strict=True):
            gateway.faults(paying_out.approve(withdrawal).number, **wanted)
        paying_out.submit("alipay")
        for minutes in (0, 1, 3, 10, 30, 60, 90):
            work_in(timedelta(minutes=minutes))

        assert [state_of(one) for one in made] == [WithdrawalState.PAID] * 6
        assert [gateway.paid(paying_out.fresh(one).number) for one in made] == [[5000]] * 6
        work_in(timedelta(days=1, hours=2))
        assert state_of(made[-1]) == WithdrawalState.RETURNED
        assert [finding for finding in invariants.run() if not finding.holds] == []
