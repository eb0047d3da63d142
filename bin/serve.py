"""`bin/run`: the whole shop on one machine, with demo data, on embedded defaults.

Starts the queue (an embedded Valkey, unless there is a REDIS_URL), the web, the sandbox payment
channel, the recharge simulator, the relay and the workers; keeps them alive; ends them all when it
ends, however it ends.
They are forks of this process, so they start at once, and all run the code that was there then.
They write to this terminal themselves, JSON lines that name their process: no file grows, no pipe
fills, and a service manager keeps the log as it keeps any other.
"""

import contextlib
import fcntl
import gc
import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gunicorn.app import wsgiapp

import worker
from app import cli, create_app, logs
from app.core.processes import FORK, Child, die_with_parent, look_after_until, stop_all, stop_signal
from app.one_machine import (
    CannotStart,
    Machine,
    bracketed,
    make_folder,
    prepare,
    queue_command,
    write,
)
from app.sandbox import server as sandbox
from app.settings import BadSettings, Settings
from app.simulator import server as simulator

WORKERS = 2
READY_WITHIN = 90.0
STOP_WITHIN = 15.0
# A killed shop's processes are gone a moment after it.
LOCKED_FOR = 2.0


def main() -> None:
    stop = stop_signal()
    logs.configure("INFO")
    # What the shop writes, its database and its queue too, is for its owner alone.
    os.umask(0o077)
    data_dir = Path(os.environ.get("DATA_DIR") or "data").resolve()
    os.environ["DATA_DIR"] = str(data_dir)
    try:
        make_folder(data_dir)
        with _only_one(data_dir):
            machine = prepare(data_dir)
            Settings.from_environment()
            _run(machine, stop)
    except (CannotStart, BadSettings) as reason:
        sys.exit(str(reason))


def _run(machine: Machine, stop: threading.Event) -> None:
    children: list[Child] = []
    try:
        if machine.has_own_queue:
            children.append(_start_queue(machine))
        # What is there before the forks stays shared: looked at, the collector would copy it.
        gc.freeze()
        _make_shop(machine)
        children.append(Child("web", partial(_run_web, machine)))
        if machine.is_demo:
            children.append(Child("sandbox", partial(_run_sandbox, machine)))
            children.append(Child("simulator", partial(_run_simulator, machine)))
        children.append(Child("relay", worker.relay))
        children += [Child(f"worker {number + 1}", worker.work) for number in range(WORKERS)]
        if _gets_ready(machine, stop, children):
            _greet(machine)
            look_after_until(stop, children)
    finally:
        stop_all([child for child in children if child.name != "queue"], STOP_WITHIN)
        stop_all(children, STOP_WITHIN)


def _start_queue(machine: Machine) -> Child:
    machine.queue_socket.unlink(missing_ok=True)
    child = Child("queue", queue_command(machine))
    deadline = time.monotonic() + 10
    while not machine.queue_socket.exists():
        if not child.process.is_alive() or time.monotonic() > deadline:
            raise CannotStart(f"The embedded queue did not start; see {machine.queue_log}.")
        time.sleep(0.01)
    return child


def _make_shop(machine: Machine) -> None:
    """Run `flask init` and `flask demo`, in a fork: this process keeps off the database."""
    making = FORK.Process(target=_run_commands, args=(machine.is_demo,))
    making.start()
    making.join()
    if making.exitcode:
        raise CannotStart("The shop could not be made ready; what went wrong stands above.")


def _run_commands(with_demo: bool) -> None:
    die_with_parent()
    with create_app().app_context():
        for command in (cli.init, cli.demo) if with_demo else (cli.init,):
            command.main([], standalone_mode=False)


def _run_web(machine: Machine) -> None:
    """As `gunicorn wsgi:app` does; the rest of its settings stands in gunicorn.conf.py."""
    sys.argv = ["gunicorn", "wsgi:app", "--bind", f"{bracketed(machine.host)}:{machine.port}"]
    wsgiapp.run()


def _run_sandbox(machine: Machine) -> None:
    """As `python -m app.sandbox` does. Buyers open its pages: it listens where the shop does."""
    for name in ("MERCHANT", "KEY", "GATEWAY_KEY", "GATEWAY_MERCHANT"):
        os.environ[f"SANDBOX_{name}"] = machine.settings[f"SANDBOX_{name}"]
    data = machine.data_dir / "sandbox.db"
    sandbox.process(bracketed(machine.host), machine.sandbox_port, data).run()


def _run_simulator(machine: Machine) -> None:
    """As `python -m app.simulator` does. Only the shop calls it: it listens to this machine."""
    for name in ("SIMULATOR_MERCHANT", "SIMULATOR_KEY"):
        os.environ[name] = machine.settings[name]
    # Fulu's orders do not say where to call back: a merchant tells Fulu once.
    os.environ["SIMULATOR_NOTIFY_URL"] = f"{machine.local_url}/hooks/recharges/fulu"
    data = machine.data_dir / "simulator.db"
    simulator.process("127.0.0.1", machine.simulator_port, data).run()


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """One shop a folder: a second one would fight over its queue and its ports."""
    deadline = time.monotonic() + LOCKED_FOR
    with (data_dir / "run.lock").open("w") as file:
        while not _lock(file.fileno()):
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"A shop is running in {data_dir} already. "
                    "Stop it first, or choose another DATA_DIR and PORT."
                )
            time.sleep(0.05)
        yield


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _gets_ready(machine: Machine, stop: threading.Event, children: list[Child]) -> bool:
    """Wait until the shop says that it is ready; False when told to stop before that."""
    deadline = time.monotonic() + READY_WITHIN
    while not stop.wait(0.05):
        if _is_ready(machine.local_url):
            return True
        if time.monotonic() > deadline:
            raise CannotStart(f"The shop did not get ready within {READY_WITHIN:.0f} s.")
        for child in children:
            child.look_after()
    return False


def _is_ready(url: str) -> bool:
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _greet(machine: Machine) -> None:
    url = machine.url
    lines = ["", "Hardshelf 硬架", f"  shop     {url}/", f"  console  {url}/admin/"]
    path = machine.data_dir / "demo.json"
    if path.exists():
        demo = json.loads(path.read_text())
        if demo["url"] != url:
            write(path, json.dumps(demo | {"url": url}, indent=2, ensure_ascii=False) + "\n")
        owner, buyer = demo["admin"], demo["buyer"]
        secret = f"one-time codes from {owner['totp_secret']}"
        lines.append(f"  owner    {owner['login']} · {owner['password']} · {secret}")
        lines.append(f"  buyer    {buyer['login']} · {buyer['password']}")
        # A shop whose demo data is older has none.
        seller = demo.get("distributor")
        if seller:
            lines.append(f"  seller   {seller['login']} · {seller['password']}")
    if machine.is_demo:
        lines.append(f"  provider {machine.settings['SIMULATOR_URL']}/control (plays one)")
    lines += [f"  data     {machine.data_dir} (keep a copy of master.key elsewhere)", "ready"]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
