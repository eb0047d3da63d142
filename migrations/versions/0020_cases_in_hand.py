"""A case in review is in somebody's hands; lists name words."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

SUBJECTS = ("address", "device", "contact", "email_domain", "payer", "account")


def upgrade() -> None:
    # Cases could be taken before, but by nobody: there was no button.
    op.execute("UPDATE risk_cases SET assignee = '' WHERE state = 'open'")
    op.execute("UPDATE risk_cases SET assignee = 'system' WHERE state = 'in_review' AND assignee = ''")
    with op.batch_alter_table("risk_cases") as batch:
        batch.create_check_constraint(
            op.f("ck_risk_cases_in_review_by_somebody"),
            sa.text(
                "(state <> 'open' OR assignee = '') AND (state <> 'in_review' OR assignee <> '')"
            ),
        )
    _let_subjects_be(*SUBJECTS, "keyword")


def downgrade() -> None:
    op.execute("DELETE FROM risk_list_entries WHERE subject = 'keyword'")
    _let_subjects_be(*SUBJECTS)
    with op.batch_alter_table("risk_cases") as batch:
        batch.drop_constraint(op.f("ck_risk_cases_in_review_by_somebody"), type_="check")


def _let_subjects_be(*subjects: str) -> None:
    listed = ", ".join(f"'{subject}'" for subject in subjects)
    with op.batch_alter_table("risk_list_entries") as batch:
        batch.drop_constraint(op.f("ck_risk_list_entries_subject"), type_="check")
        batch.create_check_constraint(
            op.f("ck_risk_list_entries_subject"), sa.text(f"subject IN ({listed})")
        )
