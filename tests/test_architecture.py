"""The rules of docs/architecture.md, held by reading the code."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"
FILES = sorted(APP.rglob("*.py"))

# A package may import those before it; upwards only by later("dotted.name", ids).
DOMAIN = (
    *(
        "accounts",
        "catalog",
        "risk",
        "ledger",
        "vault",
        "pricing",
        "orders",
        "redemptions",
        "recharges",
    ),
    *("channels", "payouts"),
    "messages",
)
LAYERS = {
    "core": ("core", "settings"),
    "providers": ("core", "providers", "settings"),
    "domain": ("core", "providers", "domain", "settings"),
    "outside": ("core", "outside"),
    "sandbox": ("core", "outside", "sandbox", "providers"),
    "simulator": ("core", "outside", "simulator"),
}
FORBIDDEN = {
    "core": ("flask", "flask_babel", "flask_login", "werkzeug", "jinja2"),
    "providers": ("flask", "sqlalchemy", "flask_babel", "jinja2", "werkzeug"),
    "domain": ("flask", "flask_babel", "flask_login", "werkzeug", "jinja2", "httpx"),
}
# The one module that knows Flask-SQLAlchemy is the one that needs the app it belongs to.
ALLOWED = {("core/db.py", "flask")}
LONGEST_FILE = 400


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(APP))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer: str) -> None:
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in (APP / layer).rglob("*.py")
        for name in imports_of(path)
        if name.startswith("app.") and name.split(".")[1] not in LAYERS[layer]
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_does_not_know_what_is_not_its_own(layer: str) -> None:
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in (APP / layer).rglob("*.py")
        for name in imports_of(path)
        if name.split(".")[0] in FORBIDDEN[layer]
        and (name_of(path), name.split(".")[0]) not in ALLOWED
    ]
    assert wrong == []


def test_domain_packages_import_only_those_before_them() -> None:
    wrong = [
        f"{name_of(path)} imports {name}"
        for position, package in enumerate(DOMAIN)
        for path in (APP / "domain" / package).rglob("*.py")
        for name in imports_of(path)
        if name.startswith("app.domain.") and name.split(".")[2] not in DOMAIN[: position + 1]
    ]
    assert wrong == []
    assert {path.name for path in (APP / "domain").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == set(DOMAIN)


def test_one_place_commits() -> None:
    commits = [
        name_of(path)
        for path in FILES
        if "sandbox" not in path.parts and re.search(r"\.commit\(", path.read_text())
    ]
    assert commits == ["core/db.py"]


def test_whether_a_unit_is_under_way_is_asked_of_db() -> None:
    """What a session carries is named in one place: who reads a name that is gone reads None."""
    readers = [name_of(path) for path in FILES if re.search(r"session\(\)\.info", path.read_text())]
    assert readers == ["core/db.py"]


def test_a_savepoint_is_one_of_db() -> None:
    """The session's own would not know what a unit has put off to its end."""
    nested = [name_of(path) for path in FILES if "begin_nested" in path.read_text()]
    assert nested == ["core/db.py"]


def test_one_module_knows_flask_sqlalchemy() -> None:
    assert [name_of(path) for path in FILES if "flask_sqlalchemy" in set(imports_of(path))] == [
        "core/db.py"
    ]


def later_names() -> list[str]:
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += re.findall(r"^app\.domain\.\w+\.jobs\.\w+$", node.value)
    return sorted(set(found))


def test_every_name_rung_for_later_has_its_job() -> None:
    names = later_names()
    assert len(names) >= 5
    for name in names:
        module, _, function = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function)), name


def test_a_job_takes_ids_only() -> None:
    wrong = []
    for path in (APP / "domain").rglob("jobs.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            wrong += [
                f"{name_of(path)}: {node.name}({argument.arg})"
                for argument in node.args.args
                if not argument.arg.endswith("_id")
            ]
    assert wrong == []


def test_time_is_asked_of_the_clock() -> None:
    asks = re.compile(r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\(")
    assert [
        name_of(path)
        for path in FILES
        if asks.search(path.read_text())
        and name_of(path) not in ("core/clock.py", "doctor.py")
        and "sandbox" not in path.parts
    ] == []


def test_money_is_never_a_float() -> None:
    float_money = re.compile(r"(amount|price|total|fen)\w*: float|float\((amount|price|total)")
    assert [name_of(path) for path in FILES if float_money.search(path.read_text())] == []


def test_nothing_turns_off_certificate_checks_or_builds_sql_from_pieces() -> None:
    bad = re.compile(r"verify=False|text\(\s*f[\"']")
    allowed = {"backup.py"}  # setval() takes a table's name, which is ours, as a literal
    assert [
        name_of(path)
        for path in FILES
        if bad.search(path.read_text()) and name_of(path) not in allowed
    ] == []


def test_what_people_wrote_is_never_a_template_nor_unescaped() -> None:
    """The one text that goes onto a page as it is, a product's description, passed nh3 before it
    was stored (catalog/rules.py)."""
    made = re.compile(r"render_template_string|from_string\(|Environment\(\)|autoescape *= *False")
    assert [name_of(path) for path in FILES if made.search(path.read_text())] == []
    pages = sorted((ROOT / "templates").rglob("*.html"))
    raw = re.compile(r"\|\s*safe\b|autoescape false")
    unescaped = {
        str(path.relative_to(ROOT / "templates")): raw.findall(text)
        for path in pages
        if raw.search(text := path.read_text())
    }
    assert unescaped == {"shop/product.html": ["|safe"]}
    marks = [name_of(path) for path in FILES if re.search(r"\bMarkup\(", path.read_text())]
    assert marks == ["web/translation.py"]


def test_no_file_has_grown_beyond_one_thing() -> None:
    long = {
        name_of(path): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}
