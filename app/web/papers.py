"""A settlement statement as a file, for its payee and for staff alike.

What draws PDF and XLSX takes as long to import as half the shop: who asks for a paper waits for it.
"""

import re

from flask import Response, current_app, url_for

from app.domain.payouts import statements
from app.domain.payouts.papers.document import Paper
from app.domain.payouts.statements import Issued

PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP = "application/zip"


def paper_of(issued: Issued) -> Paper:
    """What is put on paper, with the address of the page that verifies it."""
    statement = issued.statement
    path = url_for("shop.verification.show", number=statement.number)
    return Paper(
        content=statements.content_of(statement),
        sha256=statement.sha256,
        verify_url=current_app.config["SETTINGS"].base_url + path,
        issued_at=statement.issued_at,
    )


def pdf_file(issued: Issued) -> Response:
    from app.domain.payouts.papers import pdf  # noqa: PLC0415

    return attachment(f"{issued.statement.number}.pdf", PDF, pdf.render(paper_of(issued)))


def xlsx_file(issued: Issued) -> Response:
    from app.domain.payouts.papers import xlsx  # noqa: PLC0415

    return attachment(f"{issued.statement.number}.xlsx", XLSX, xlsx.render(paper_of(issued)))


def package_file(issued: Issued) -> Response:
    """The payment basis for a bank."""
    from app.domain.payouts.papers import package, pdf  # noqa: PLC0415

    paper = paper_of(issued)
    content = package.render(paper, lambda: pdf.render(paper))
    return attachment(f"{issued.statement.number}.zip", ZIP, content)


def attachment(name: str, media_type: str, content: bytes) -> Response:
    """A file that is saved and not shown, and that nobody keeps on the way."""
    response = Response(content, content_type=media_type)
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    response.headers["Content-Disposition"] = f'attachment; filename="{safe}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
