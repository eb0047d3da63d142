"""`flask keys …`: where the shop stands with its keys, and a new master key."""

import sys
from datetime import datetime

import click
from flask import Flask, current_app
from rich.table import Table

from app.cli import console, keys_group
from app.core import clock, keys, master_key
from app.core.actors import act_as
from app.core.crashpoints import crashpoint
from app.core.crypto import new_master_key
from app.core.db import session, transaction
from app.domain.vault import key_queries, rotating
from app.domain.vault.rotation_models import KeyRotation, RotationState
from app.settings import Settings

BY_HAND = """\
MASTER_KEYS is given by the environment, so the new key has to be put there by hand:
  1. `flask --app wsgi keys new` prints one.
  2. Add it behind the others, after a comma, on every machine, and restart: all open it now.
  3. Put it in front on every machine, and restart: it wraps what is new.
  4. Run `flask --app wsgi keys rotate` again: it wraps all data keys by it.
On a single machine the steps 2 and 3 are one."""


def init_app(_app: Flask) -> None:
    for command in (show, check, new, rotate):
        keys_group.add_command(command)


@click.command("list")
def show() -> None:
    """Which master key wraps what, and how far the latest rotation is."""
    table = Table("master key", "since", "data keys", "codes", "", box=None)
    for one in key_queries.master_keys():
        words = "wraps what is new" if one.is_active else "opens only"
        table.add_row(
            one.id,
            _age(one.since),
            f"{one.data_keys:,}",
            f"{one.codes:,}",
            words if one.is_here else "[red]is not here: what it wrapped does not open[/]",
        )
    console.print(table)
    rotation = key_queries.latest_rotation()
    console.print(_words(rotation) if rotation else "The keys were never rotated.", soft_wrap=True)


@click.command("check")
def check() -> None:
    """Unwrap every data key with the master key."""
    counted = keys.check()
    console.print(f"{counted.opened} data keys open, {counted.closed} do not.")
    sys.exit(1 if counted.closed else 0)


@click.command("new")
def new() -> None:
    """Print a new master key for MASTER_KEYS. It is kept nowhere."""
    taken = {*keys.ring().ids, *key_queries.known_ids()}
    click.echo(new_master_key(master_key.next_name(taken)))


@click.command("rotate")
def rotate() -> None:
    """Take a new master key into use, wrap all data keys by it, seal all codes anew.

    The shop may run on. Killed at any moment it is run again, and goes on where it was.
    """
    act_as("command:rotate")
    settings: Settings = current_app.config["SETTINGS"]
    try:
        with master_key.one_at_a_time(settings.data_dir):
            _rotate(settings)
    except master_key.Busy:
        raise click.ClickException("Another `keys rotate` is running; wait for it.") from None


def _rotate(settings: Settings) -> None:
    closed = keys.check().closed
    if closed:
        raise click.ClickException(
            f"{closed} data keys do not open: a master key is missing. Nothing was changed."
        )
    is_waiting = key_queries.is_waiting()
    taken = key_queries.known_ids()
    session.rollback()
    if not is_waiting:
        _make_key(settings, taken)
    rotation = transaction(rotating.begin)
    crashpoint("rotation.begun")
    console.print(
        f"{rotation.rewrapped:,} data keys are wrapped by {rotation.master_key_id} now.\n"
        f"The workers seal {rotation.code_count:,} codes anew; `flask --app wsgi keys` says how "
        "far they are. The shop sells and shows codes meanwhile.",
        soft_wrap=True,
    )
    older = ", ".join(name for name in keys.ring().ids if name != rotation.master_key_id)
    if older:
        console.print(
            f"Keep {older} as long as you keep backups from before now: they open with it only. "
            "Then take its line out; nothing of the shop needs it.",
            soft_wrap=True,
        )


def _make_key(settings: Settings, taken: set[str]) -> None:
    if settings.master_keys:
        raise click.ClickException(BY_HAND)
    name = master_key.put_in_front(settings.master_key_file, taken)
    crashpoint("rotation.key_written")
    keys.reload()
    console.print(
        f"New master key {name}, the first in {settings.master_key_file}\n"
        "Copy the file to where you keep its copy now, before you go on: without this key no code "
        "opens, for anybody.",
        soft_wrap=True,
    )


def _words(rotation: KeyRotation) -> str:
    begun = f"Rotation to {rotation.master_key_id}, begun {rotation.started_at:%F %T} UTC: "
    unreadable = f"; {rotation.unreadable:,} codes do not open" if rotation.unreadable else ""
    if rotation.state == RotationState.RESEALING:
        total = max(rotation.code_count, rotation.looked_at)
        return f"{begun}{rotation.looked_at:,} of {total:,} codes are sealed anew{unreadable}."
    if rotation.state == RotationState.SETTLING:
        return (
            f"{begun}all codes are sealed anew; a last look at {rotation.settles_at:%T} UTC, then "
            f"the old data keys are destroyed{unreadable}."
        )
    if rotation.state == RotationState.SUPERSEDED:
        return f"{begun}a later one took its place."
    return (
        f"{begun}done {rotation.finished_at:%F %T} UTC, {rotation.resealed:,} codes sealed anew, "
        f"{rotation.destroyed:,} old data keys destroyed{unreadable}."
    )


def _age(since: datetime | None) -> str:
    if since is None:
        return "—"
    return f"{since:%F} ({(clock.now() - since).days} days)"
