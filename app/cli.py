"""`flask --app wsgi <command>`: what an operator does at the keyboard."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import OperationalError

from app import backup as backups
from app import demo as demo_data
from app import doctor as diagnosis
from app import drill as drills
from app import invariants
from app.core import audit_chain, keys, migrations
from app.core.actors import act_as
from app.core.audit_chain import Flaw, Misfit
from app.core.db import session, transaction
from app.domain.risk import pack as risk_rules
from app.drill.report import Line, Who
from app.settings import Settings

console = Console()
FLAWS = {
    Flaw.MISSING: "seal {seq} is missing",
    Flaw.GONE: "seal {seq}: {entry} is gone",
    Flaw.UNFIT: "seal {seq}, {entry}: not as it was sealed",
    Flaw.UNSEALED: "{entry} is not sealed",
    Flaw.REPLACED: "seal {seq} is gone or not as it was anchored",
}


def init_app(app: Flask) -> None:
    for command in (init, demo, audit, anchor, doctor, backup, restore, keys_group, drill_group):
        app.cli.add_command(command)


@click.command()
@with_appcontext
def init() -> None:
    """Make or bring up to date this shop's database and keys. Safe to repeat."""
    act_as("command:init")
    settings = _settings()
    migrations.upgrade()
    transaction(keys.ensure_shop_keys)
    transaction(risk_rules.install)
    console.print(f"Database ready: {_shown_url(settings.database_url)}", soft_wrap=True)
    console.print(f"Secrets: {settings.data_dir}/shop.env", soft_wrap=True)
    if not settings.master_keys:
        console.print(
            f"Master key: {settings.master_key_file}\n"
            "Keep a copy of it elsewhere: without it the codes cannot be opened, by anybody.",
            soft_wrap=True,
        )


@click.command()
@with_appcontext
def demo() -> None:
    """Fill an empty shop with products, codes, staff and a buyer; write their sign-ins."""
    act_as("command:demo")
    _refuse_unless_migrated()
    with _progress() as progress:
        task = progress.add_task("demo data", total=None)
        made = demo_data.make(lambda text: progress.update(task, description=text))
    console.print("Demo data is there." if made else "The shop has data already: left as it is.")


@click.command()
@click.option("--full", is_flag=True, help="Open every code instead of the newest ones.")
@click.option("--json", "as_json", is_flag=True, help="Print for machines.")
@click.option("--anchor", "line", metavar="LINE", help="Check a line of `flask anchor`, too.")
@with_appcontext
def audit(*, full: bool, as_json: bool, line: str | None) -> None:
    """Check what must always be true; exit with 1 when anything is not."""
    _refuse_unless_migrated()
    try:
        wanted = audit_chain.parse(line) if line else None
    except audit_chain.BadAnchor:
        raise click.ClickException("This is no anchor of this shop: see `anchor`.") from None
    if as_json:
        findings = invariants.run(full=full, anchor=wanted)
        click.echo(
            json.dumps(
                {
                    "holds": all(finding.holds for finding in findings),
                    "findings": [
                        asdict(finding) | {"holds": finding.holds} for finding in findings
                    ],
                },
                default=datetime.isoformat,
            )
        )
    else:
        with _progress() as progress:
            task = progress.add_task("", total=len(invariants.CHECKS))
            findings = invariants.run(
                full=full,
                anchor=wanted,
                begin=lambda name: progress.update(task, description=name, advance=1),
            )
        console.print(_audit_table(findings))
    sys.exit(0 if all(finding.holds for finding in findings) else 1)


@click.command()
@with_appcontext
def anchor() -> None:
    """Print a line that names the last seal of the audit log. Keep it elsewhere: `audit --anchor`
    tells by it whether the log was cut off or made anew since."""
    _refuse_unless_migrated()
    audit_chain.seal_all()
    head = audit_chain.head()
    if head is None:
        raise click.ClickException("The audit log is empty: there is nothing to anchor yet.")
    click.echo(head.text)


@click.command()
@with_appcontext
def doctor() -> None:
    """Look at settings, keys, database, queue, clock and backups, and say what to mend."""
    symptoms = diagnosis.examine(_settings())
    for symptom in symptoms:
        mark = "[green]ok[/]" if symptom.is_well else "[red]mend[/]"
        console.print(f"{mark:>12}  {symptom.name}: {symptom.words}", soft_wrap=True)
    sys.exit(0 if all(symptom.is_well for symptom in symptoms) else 1)


@click.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def backup(path: Path | None) -> None:
    """Write an encrypted backup to PATH (default: DATA_DIR/backups). The shop may run on."""
    _refuse_unless_migrated()
    path = path or backups.default_path(_settings().data_dir)
    with _progress() as progress:
        contents = backups.backup(path, _advance(progress, "backup"))
    console.print(f"{sum(contents.rows.values()):,} rows in {path}", soft_wrap=True)
    console.print("It opens with the master key only; keep the two in different places.")


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def restore(path: Path) -> None:
    """Fill an empty shop from the backup at PATH, then audit it."""
    act_as("command:restore")
    migrations.upgrade()
    with _progress() as progress:
        try:
            contents = backups.restore(path, _advance(progress, "restore"))
        except backups.BadBackup as fault:
            raise click.ClickException(str(fault)) from None
    keys.forget()
    # What was written in the seconds before the backup; no relay runs here.
    audit_chain.seal_all()
    console.print(f"{sum(contents.rows.values()):,} rows of {contents.made_at} are back.")
    findings = invariants.run()
    console.print(_audit_table(findings))
    sys.exit(0 if all(finding.holds for finding in findings) else 1)


@click.group("drill")
def drill_group() -> None:
    """What would happen, played on a shop made for it and thrown away."""


@drill_group.command("leak")
@click.option("--json", "as_json", is_flag=True, help="Print figures for machines.")
@with_appcontext
def drill_leak(*, as_json: bool) -> None:
    """Play a leak by staff and the theft of the database; exit with 1 when anything got through.

    This shop is not touched: the drill has a database and keys of its own.
    """
    from app import connect, create_app  # noqa: PLC0415  they import this module

    here = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        report = drills.leak(create_app, (lambda _line: None) if as_json else _print_line)
    finally:
        # Keys, queue and senders are this process's, and were the drill's.
        connect(here)
    if as_json:
        click.echo(json.dumps(report.figures))
    sys.exit(1 if report.got_through else 0)


def _print_line(line: Line) -> None:
    if line.who is Who.SCENE:
        console.print(f"\n[bold]{line.words}[/]" if line.words[0].isdigit() else line.words)
        return
    mark = {None: " ", True: "[green]✓[/]", False: "[red]✗[/]"}[line.held]
    console.print(f"{line.seconds:7.1f} s {mark} {line.who.value}: {line.words}", soft_wrap=True)


@click.group("keys", invoke_without_command=True)
@click.pass_context
@with_appcontext
def keys_group(context: click.Context) -> None:
    """The keys that seal codes and personal data; alone it says where the shop stands.

    The commands are in key_commands.py.
    """
    _refuse_unless_migrated()
    if context.invoked_subcommand is None:
        context.invoke(keys_group.commands["list"])


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _refuse_unless_migrated() -> None:
    try:
        at_head = migrations.is_at_head()
    except OperationalError:
        raise click.ClickException(
            "The database does not answer. `flask --app wsgi doctor` looks at everything."
        ) from None
    finally:
        session.rollback()
    if not at_head:
        raise click.ClickException(
            "The database is not of this version. Run `flask --app wsgi init` first."
        )


def _shown_url(url: str) -> str:
    return url.rsplit("@", maxsplit=1)[-1]


def _audit_table(findings: list[invariants.Finding]) -> Table:
    table = Table("", "invariant", "looked at", "breaches", box=None)
    for finding in findings:
        mark = "[green]✓[/]" if finding.holds else "[red]✗[/]"
        table.add_row(
            f"{mark} {finding.number}",
            finding.name,
            f"{finding.looked_at:,}",
            f"{finding.breaches:,}",
        )
        for misfit in finding.first:
            table.add_row("", f"  {_place(misfit)}")
    return table


def _place(misfit: Misfit) -> str:
    """Where in the audit log to look, and for what."""
    entry = f"entry {misfit.entry_id}" if misfit.entry_id is not None else "no entry"
    words = FLAWS[misfit.flaw].format(seq=misfit.seq, entry=entry)
    return f"{words} ({misfit.at:%Y-%m-%d %H:%M:%S} UTC)" if misfit.at else words


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # Where nobody watches it would only leave an empty line.
        disable=not console.is_terminal,
    )


def _advance(progress: Progress, verb: str) -> Any:
    task = progress.add_task(verb, total=None)
    counts: dict[str, int] = {}

    def advance(table: str, rows: int) -> None:
        counts[table] = counts.get(table, 0) + rows
        progress.update(task, description=f"{verb} {table} {counts[table]:,}")

    return advance
