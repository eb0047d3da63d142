"""RQ as the bell: carries outbox row ids to workers, and decides nothing."""

from collections.abc import Sequence

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.outbox import JOB_TIMEOUT

QUEUE = "hardshelf"
JOB = "app.core.outbox.run"


class RqBell:
    """One queue: RQ loses jobs between dequeue and start when a worker listens to several."""

    def __init__(self, redis_url: str) -> None:
        self.redis = Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=2)
        self.queue = Queue(QUEUE, connection=self.redis, serializer=JSONSerializer)

    def ring(self, ids: Sequence[int]) -> None:
        """Enqueue a job for each id; raises OSError when Redis cannot be reached.

        No RQ retry, no RQ schedule, no fixed job id: the outbox row holds all three.
        """
        jobs = [
            Queue.prepare_data(
                JOB,
                args=[row_id],
                timeout=int(JOB_TIMEOUT.total_seconds()),
                result_ttl=0,
                failure_ttl=3600,
                description=f"outbox {row_id}",
            )
            for row_id in ids
        ]
        try:
            self.queue.enqueue_many(jobs)
        except RedisError as error:
            raise ConnectionError("the queue cannot be reached") from error
