"""Hundreds of recharges while workers, the relay, Redis, the web and the provider are killed at
random, from fixed seeds, on both databases.

Nothing is lost, and nothing is executed twice by the provider's own record; what cannot be known is
with a person, on the safe side; and the books balance. `bin/chaos` runs it.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import invariants
from app.core import clock
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.core.processes import die_with_parent
from app.domain.recharges.models import RechargeState
from tests import factories, servers
from tests.recharging import Works, numbers_by_recharge, recharges, working

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

RECHARGES = int(os.environ.get("CHAOS_RECHARGES", "400"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
WORKERS = 4
# How the provider behaves, by the digits of the simulator's table: mostly well, and in every
# documented way badly. What never ends (6001) is for a person.
MIX = {
    "0000": 40,
    "1001": 15,
    "1003": 5,
    "2001": 8,
    "2002": 8,
    "3003": 6,
    "3004": 6,
    "3005": 6,
    "3007": 4,
    "4001": 4,
    "4003": 4,
    "4004": 4,
    "5001": 4,
    "6001": 2,
}


@dataclass
class Chaos:
    """Kills by a seed; what it killed is counted."""

    works: Works
    redis: servers.RedisServer
    workers: "subprocess.Popen[bytes]"
    web: "subprocess.Popen[bytes]"
    random: random.Random
    killed: Counter[str] = field(default_factory=Counter)

    def children(self) -> list[int]:
        return _children(self.workers.pid)

    def strike(self) -> None:
        """Kill one thing, as a power cut or the kernel would."""
        deeds: list[tuple[str, Callable[[], None], int]] = [
            ("worker or relay", self.kill_child, 10),
            ("redis", self.kill_redis, 1),
            ("simulator", self.kill_simulator, 1),
            ("web worker", self.kill_web_worker, 2),
        ]
        name, deed, _ = self.random.choices(deeds, [weight for *_, weight in deeds])[0]
        with contextlib.suppress(ProcessLookupError, IndexError, FileNotFoundError):
            deed()
            self.killed[name] += 1

    def kill_child(self) -> None:
        os.kill(self.random.choice(self.children()), signal.SIGKILL)

    def kill_redis(self) -> None:
        self.redis.kill()
        self.redis.start()

    def kill_simulator(self) -> None:
        self.works.counterpart.process.kill()
        self.works.counterpart.process.start()

    def kill_web_worker(self) -> None:
        os.kill(self.random.choice(_children(self.web.pid)), signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def start(works: Works, *command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=servers.ROOT,
        env=works.environment,
        preexec_fn=die_with_parent,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def chaos(
    request: pytest.FixtureRequest,
    database_url: str,
    redis_server: servers.RedisServer,
    tmp_path: Path,
) -> Iterator[Chaos]:
    port = servers.free_port()
    base_url = f"http://127.0.0.1:{port}"
    with working(tmp_path, database_url, redis_server.url, base_url) as works:
        web = start(works, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}")
        workers = start(works, str(servers.ROOT / "worker.py"), "--workers", str(WORKERS))
        yield Chaos(works, redis_server, workers, web, random.Random(request.node.name))
        for process in (workers, web):
            process.kill()
            process.wait()


def dead_leases_run_out() -> None:
    """A lease outlasts the longest job, so a killed worker's row waits minutes for another; here it
    runs out at once, whether its holder is dead or only slow: that must be harmless too."""
    transaction(
        lambda: session.execute(
            sa.update(OutboxRow)
            .where(OutboxRow.state == OutboxState.RUNNING)
            .values(lease_until=clock.now(), rung_at=None)
        )
    )


def is_settled() -> bool:
    """All that can end by itself has: what never ends is open at the provider."""
    open_ones = [r for r in recharges() if r.state in ("queued", "running", "review")]
    session.rollback()
    busy = session.scalar(
        sa.select(sa.func.count(OutboxRow.id)).where(
            OutboxRow.name.like("%recharge%"),
            OutboxRow.due_at <= clock.now(),
            OutboxRow.state != OutboxState.DONE,
        )
    )
    return len(open_ones) <= RECHARGES * 0.06 and not busy


@pytest.mark.parametrize("seed", [11, 12])
def test_nothing_is_lost_and_nothing_happens_twice(chaos: Chaos, seed: int) -> None:
    works = chaos.works
    works.counterpart.ask("POST", "/deposit", amount=10**9)
    works.counterpart.ask("POST", "/conditions", mix=MIX, seed=str(seed))
    for n in range(RECHARGES):
        works.buy(f"139{seed:02d}{n:06d}")

    _strike_for(chaos, SECONDS)
    dead_leases_run_out()
    # Whoever hangs or hides goes on doing so to the end: the queries have to outlast them.
    servers.wait_until(is_settled, "what can end", within=900, every=2)

    _judge(works)
    print(
        f"\nseed {seed}: killed {dict(chaos.killed)}, {dict(Counter(r.state for r in recharges()))}"
    )


def _strike_for(chaos: Chaos, seconds: float) -> None:
    """In the main thread: what a thread has started dies with that thread."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        pause.wait(chaos.random.uniform(0.2, 1.2))
        chaos.strike()


def _judge(works: Works) -> None:
    executed = works.counterpart.executed()
    attempts = numbers_by_recharge()
    found = recharges()

    assert len(found) == RECHARGES
    # The provider never executed one number twice, nor two numbers of one recharge.
    assert [number for number, times in executed.items() if times > 1] == []
    for recharge in found:
        times = sum(executed.get(number, 0) for number in attempts.get(recharge.id, []))
        if recharge.state == RechargeState.DELIVERED:
            assert times == 1, recharge.uid
        elif recharge.state == RechargeState.FAILED:
            assert times == 0, recharge.uid
        else:
            assert times <= 1, recharge.uid
    session.rollback()
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
    dead = sa.select(sa.func.count()).where(OutboxRow.state == OutboxState.DEAD)
    assert session.scalar(dead) == 0
    factories.take_over()
