"""The web application, for gunicorn (`wsgi:app`) and for `flask --app wsgi <command>`."""

import sys

from app import create_app
from app.first_run import make_secrets

if sys.argv[1:] == ["init"] or sys.argv[-1:] == ["init"]:
    # A new shop has no secrets yet, and without them there is no app to run `flask init` in.
    make_secrets()

app = create_app()
