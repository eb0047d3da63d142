"""How gunicorn serves the shop; `gunicorn wsgi:app` reads it by itself, the command line wins."""

from typing import Any

from app.core.processes import collect_less, die_with_parent

worker_class = "gthread"
workers = 2
threads = 4
keepalive = 5
graceful_timeout = 10
loglevel = "warning"
# It would be a file in somebody's home, and a way to stop the shop.
control_socket_disable = True


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """A web process does not outlive a killed master, and so does not keep its port."""
    die_with_parent()


def post_worker_init(_worker: Any) -> None:
    collect_less()
