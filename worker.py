"""Workers: `python worker.py --workers N` keeps N RQ workers and one relay alive.

Each runs in a process of its own, and an app connects to nothing before it is used, so nothing
touches the database before a fork. When this process dies, however it dies, the kernel ends its
children; when one of them dies, it is started again.
"""

import argparse
import os
import sys

import structlog
from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError

from app import create_app
from app.core import outbox
from app.core.bell import QUEUE
from app.core.db import session
from app.core.processes import Child, die_with_parent, look_after_until, stop_all, stop_signal
from app.settings import BadSettings, Settings

log = structlog.get_logger()

RELAY_EVERY = 1.0
# RQ waits for work 15 s less than this at a time; told to stop just as it begins to wait, it
# notices only when the wait is over.
WORKER_TTL = 20
# Longer than a job may run, so that a stop lets the job end.
STOP_WITHIN = outbox.JOB_TIMEOUT.total_seconds() + 10


class OutboxWorker(Worker):
    """An RQ worker whose work-horse does not outlive it.

    RQ's own horse runs on when its parent is killed, and takes effect beside its successor.
    """

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()
        die_with_parent()


def work() -> None:
    """One RQ worker on the one queue."""
    app = create_app()
    redis = Redis.from_url(app.config["SETTINGS"].redis_url)
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    with app.app_context():
        OutboxWorker(
            [queue],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            job_monitoring_interval=5,
        ).work(logging_level="WARNING")


def relay() -> None:
    """Ring for what is due, every second, until told to stop."""
    stop = stop_signal()
    with create_app().app_context():
        while not stop.is_set():
            if relay_once() == 0:
                stop.wait(RELAY_EVERY)


def relay_once() -> int:
    """One round; a queue or database that is away leaves what is due as it is."""
    try:
        return outbox.relay()
    except (OSError, OperationalError) as error:
        log.warning("relay.waits", error=type(error).__name__)
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
    this = [sys.executable, os.path.abspath(__file__)]
    children = [Child("relay", [*this, "relay"])]
    children += [Child(f"worker {number}", [*this, "work"]) for number in range(1, workers + 1)]
    look_after_until(stop, children)
    stop_all(children, STOP_WITHIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", nargs="?", choices=("supervise", "work", "relay"))
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.role == "work":
        work()
    elif arguments.role == "relay":
        relay()
    else:
        supervise(arguments.workers)


if __name__ == "__main__":
    main()
