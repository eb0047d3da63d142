"""`flask drill leak`: a staff leak and a database theft, played on a shop made for it and thrown
away. What the thief has is counted, and so is what the shop noticed, and when."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from app.drill import database_theft, shop, staff_leak
from app.drill.report import Report, Say
from app.settings import Settings

MakeApp = Callable[[Settings], Flask]


def leak(make_app: MakeApp, say: Say) -> Report:
    """Play both; the report says whether anything got through.

    Nothing of a shop that there is is touched: the drill's has a database and keys of its own, in a
    directory that is removed at the end.
    """
    report = Report(say)
    with tempfile.TemporaryDirectory(prefix="hardshelf-drill-") as directory:
        settings = shop.settings(Path(directory))
        with make_app(settings).app_context():
            made = shop.furnish(report)
            staff_leak.play(made, report)
            database_theft.play(made, report)
            shop.leave()
    report.end()
    return report
