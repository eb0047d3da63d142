"""Workers: `python worker.py --workers N` keeps N RQ workers and one relay alive.

Each is a fork of this process, and an app connects to nothing before it is used, so nothing touches
the database before a fork. When this process dies, however it dies, the kernel ends its children;
when one of them dies, it is started again.
"""

import argparse
import faulthandler
import gc
import sys
import time

import structlog
from redis import Redis
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import configure_mappers

from app import create_app
from app.core import audit_chain, db, outbox
from app.core.bell import QUEUE
from app.core.db import session, transaction
from app.core.keys import KeysMissing
from app.core.processes import Child, collect_less, look_after_until, stop_all, stop_signal
from app.settings import BadSettings, Settings

log = structlog.get_logger()

RELAY_EVERY = 1.0
SEAL_EVERY = 5.0
# RQ waits for work 15 s less than this at a time; told to stop just as it begins to wait, it
# notices only when the wait is over.
WORKER_TTL = 20
# Longer than a job may run, so that a stop lets the job end.
STOP_WITHIN = outbox.JOB_TIMEOUT.total_seconds() + 10


class OutboxWorker(SimpleWorker):
    """An RQ worker that runs its jobs itself, so that it keeps what it has learnt from one to the
    next: its connections, and above all how its statements read.

    A work-horse of RQ's, forked for each job, took several times as long to learn that as to do the
    job. What it was good for is had otherwise: the supervisor starts another in place of a killed
    worker, which frees what that one had in hand; of a killed machine, the leases run out.
    """

    def execute_job(self, job: Job, queue: Queue) -> None:
        began = time.monotonic()
        # Hung where not even RQ's alarm is heard, the process ends, and says where it hung.
        faulthandler.dump_traceback_later(outbox.HUNG_AFTER.total_seconds(), exit=True)
        try:
            db.drop_dead_connections()
            super().execute_job(job, queue)
        finally:
            session.remove()
            faulthandler.cancel_dump_traceback_later()
        if time.monotonic() - began >= outbox.JOB_TIMEOUT.total_seconds():
            # RQ's alarm interrupts a job anywhere, in the midst of a statement too: nobody knows
            # what is left of it, so another process goes on.
            raise StopRequested


def work() -> None:
    """One RQ worker on the one queue."""
    app = create_app()
    redis = Redis.from_url(app.config["SETTINGS"].redis_url)
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    configure_mappers()
    collect_less()
    with app.app_context():
        transaction(outbox.free_orphans)
        OutboxWorker(
            [queue], connection=redis, serializer=JSONSerializer, worker_ttl=WORKER_TTL
        ).work(logging_level="WARNING")


def relay() -> None:
    """Ring for what is due, every second, and seal the audit log, until told to stop."""
    stop = stop_signal()
    seal_at = time.monotonic()
    with create_app().app_context():
        while not stop.is_set():
            if time.monotonic() >= seal_at and seal_once() < audit_chain.PER_UNIT:
                seal_at = time.monotonic() + SEAL_EVERY
            if relay_once() == 0:
                stop.wait(RELAY_EVERY)
        seal_once()


def relay_once() -> int:
    """One round; a queue or database that is away leaves what is due as it is."""
    try:
        return outbox.relay()
    except (OSError, OperationalError) as error:
        log.warning("relay.waits", error=type(error).__name__)
        return 0
    finally:
        session.remove()


def seal_once() -> int:
    """One round of sealing; without a database or keys the audit log waits."""
    try:
        return audit_chain.seal()
    except (OSError, OperationalError, KeysMissing) as error:
        log.warning("sealer.waits", error=type(error).__name__)
        return 0
    finally:
        session.remove()


def supervise(workers: int) -> None:
    """Keep the children alive until TERM or INT; then let running jobs end."""
    try:
        Settings.from_environment()
    except BadSettings as faults:
        # Its children would say so again at every start.
        sys.exit(str(faults))
    stop = stop_signal()
    # What is there before the forks stays shared: looked at, the collector would copy it.
    gc.freeze()
    children = [Child("relay", relay)]
    children += [Child(f"worker {number}", work) for number in range(1, workers + 1)]
    look_after_until(stop, children)
    stop_all(children, STOP_WITHIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    supervise(parser.parse_args().workers)


if __name__ == "__main__":
    main()
