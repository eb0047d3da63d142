"""The log says what happened and to whom by id; nothing secret gets into it by mistake."""

import ast
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from app import logs

ROOT = Path(__file__).parent.parent
CODE = "QWER-7TYU-IOPA-9SDF"


Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Log as the shop does; what was written, line by line."""
    before, page = logging.root.handlers[:], io.StringIO()
    monkeypatch.setattr("sys.stderr", page)
    logging.root.handlers.clear()
    logs.configure("INFO")
    yield lambda: [json.loads(line) for line in page.getvalue().splitlines()]
    logging.root.handlers[:] = before
    monkeypatch.undo()
    logs.configure("INFO")


def test_a_field_that_nobody_thought_of_is_hidden(written: Lines) -> None:
    structlog.get_logger().info("x.y", contact="13912345678", password="a word", row=7)
    (line,) = written()
    assert (line["contact"], line["password"], line["row"]) == ("***", "***", 7)


@pytest.mark.parametrize("secret", [CODE, CODE.replace("-", ""), "6222021234567890123"])
def test_what_looks_like_a_code_is_hidden_in_every_field(written: Lines, secret: str) -> None:
    try:
        raise ValueError(f"cannot read {secret}")
    except ValueError as error:
        structlog.get_logger().error("x.y", error=f"near {secret}", exc_info=error)
    logging.getLogger("library").warning("cannot send %s", secret)
    ours, theirs = written()
    assert ours["error"] == "near ***"
    assert "ValueError: cannot read ***" in str(ours["exception"])
    assert theirs == {"level": "warning", "logger": "library", "event": "cannot send ***"}


def test_what_is_logged_does_not_begin_a_line_of_its_own(written: Lines) -> None:
    forged = 'x\r\n{"event": "audit.passed"}'
    structlog.get_logger().info("x.y", why=forged)
    logging.getLogger("library").warning(forged)
    ours, theirs = written()
    assert (ours["why"], theirs["event"]) == (forged, forged)


def test_every_field_that_is_logged_is_on_the_list() -> None:
    """Else the line says nothing, and nobody notices until it is needed."""
    assert fields_logged() - logs.FIELDS == {"exc_info"}


def fields_logged() -> set[str]:
    files = [*(ROOT / "app").rglob("*.py"), ROOT / "worker.py", ROOT / "bin/serve.py"]
    calls = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    named = {key.arg for call in calls if _is_log(call) for key in call.keywords}  # type: ignore[attr-defined]
    return {name for name in named if name} | set(_taken())


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")


def _taken() -> Iterator[str]:
    """What the hooks say of a callback: `receive` logs the dict that they return."""
    for path in (ROOT / "app/web/hooks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
                yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant))
