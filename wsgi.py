"""The web application, for gunicorn (`wsgi:app`) and for `flask --app wsgi <command>`."""

import os
import sys

import click

from app import create_app
from app.first_run import make_secrets
from app.settings import BadSettings

# What the shop writes, its database too, is for its owner alone.
os.umask(0o077)

if sys.argv[1:] == ["init"] or sys.argv[-1:] == ["init"]:
    # A new shop has no secrets yet, and without them there is no app to run `flask init` in.
    make_secrets()

try:
    app = create_app()
except BadSettings as faults:
    # Who types a command reads what to mend, not the way through the program to it.
    raise click.ClickException(str(faults)) from None
