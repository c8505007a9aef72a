"""A statement as PDF: the same figures as its page, from the same view, and the same bytes for the same statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from io import BytesIO

from fastapi import Response
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from api.home_view import PolicyView, policy_view
from api.languages import say
from api.policy_file import StatementFile
from api.statement_view import StatementView, statement_view
from pricing.document import BOLD, PLAIN, load_fonts

INK, QUIET, LINE = HexColor("#14201b"), HexColor("#5c6863"), HexColor("#cfd6d2")
WIDTH = A4[0] - 36 * mm

type Rows = Sequence[Sequence[str]]


def statement_pdf(policy: PolicyView, statement: StatementView) -> bytes:
    """The document. Everything that is written in it stands on the statement's page, letter for letter."""
    load_fonts()
    number = say("Policy {policy}", policy=policy.policy_id)
    posted = say("posted {day}", day=statement.posted)
    parts: list[object] = [
        _text(say("Statement, {month}", month=statement.period_name), size=18, bold=True),
        _text(" · ".join((number, policy.policyholder, policy.pay_plan, posted)), quiet=True),
        Spacer(1, 5 * mm),
        _text(statement.total, size=24, bold=True),
        _text(statement.sentence),
        *_section(say("What you pay"), _receipt(statement), last_is_sum=True),
    ]  # fmt: skip
    if statement.adjustments:
        rows = [[statement.posted, say("Statement"), statement.first_amount]]
        rows += [[one.posted, one.reason, one.amount] for one in statement.adjustments]
        rows.append([say("Now due for {month}", month=statement.period_name), "", statement.total])
        parts += _section(say("Adjustments"), rows, last_is_sum=True)
    if statement.trips is not None:
        parts += _section(say("The trips behind it"), [[one.name, one.why, one.amount] for one in statement.trips.sums])
    lines = [[line.name, line.amount] for line in statement.lines]
    parts += _section(say("Lines"), [*lines, [say("Total"), statement.lines_total]], last_is_sum=True)
    if statement.inputs:
        facts = [[fact.name, fact.note, fact.value] for fact in statement.inputs]
        parts += _section(say("What it was computed from"), facts)
    if statement.counts_in_km:
        parts += [Spacer(1, 5 * mm), _text(statement.counts_in_km)]
    for sheet in statement.worksheets:
        rows = [[line.name, line.factor, line.amount] for line in sheet.lines]
        parts += _section(say("Worksheet: {section}", section=sheet.name), rows, last_is_sum=True)
    parts += [Spacer(1, 4 * mm), _text(statement.versions, size=8, quiet=True)]
    held = BytesIO()
    title = say("Statement {policy} {period}", policy=policy.policy_id, period=statement.period)
    document = SimpleDocTemplate(
        held, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        title=title, author="Wayrate", invariant=1,
    )  # fmt: skip

    def foot(canvas: Canvas, shown: SimpleDocTemplate) -> None:
        canvas.setFont(PLAIN, 8)
        canvas.setFillColor(QUIET)
        canvas.drawString(18 * mm, 10 * mm, title)
        canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, str(shown.page))

    document.build(parts, onFirstPage=foot, onLaterPages=foot)
    return held.getvalue()


def pdf_answer(file: StatementFile, own_trips: Mapping[str, datetime] | None = None) -> Response:
    """The statement of a policy's file as a download. Raises NotFound."""
    view = statement_view(file.statement, file.policy.time_zone, own_trips)
    name = f"statement-{file.policy.policy_id}-{view.period}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(
        statement_pdf(policy_view(file.policy, file.plan), view), media_type="application/pdf", headers=headers
    )


def _receipt(statement: StatementView) -> Rows:
    receipt = statement.receipt
    rows = [[step.name, step.why, step.amount] for step in receipt.steps]
    return [*rows, [receipt.total_name, "", receipt.total]]


def _section(title: str, rows: Rows, *, last_is_sum: bool = False) -> list[object]:
    """A heading and a table whose last column is numbers."""
    if not rows:
        return []
    last = len(rows[0]) - 1
    cells = [
        [
            _text(text, bold=last_is_sum and row is rows[-1], quiet=0 < column < last, right=column == last)
            for column, text in enumerate(row)
        ]
        for row in rows
    ]  # fmt: skip
    widths = {2: (0.7, 0.3), 3: (0.38, 0.37, 0.25)}[len(rows[0])]
    table = Table(cells, colWidths=[share * WIDTH for share in widths], hAlign="LEFT")
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ("LINEBELOW", (0, 0), (-1, -2), 0.25, LINE),
            *([("LINEABOVE", (0, -1), (-1, -1), 0.75, INK)] if last_is_sum else []),
        ]
    )
    return [Spacer(1, 5 * mm), _text(title, size=11, bold=True), Spacer(1, 1 * mm), table]


def _text(text: str, *, size: float = 9, bold: bool = False, quiet: bool = False, right: bool = False) -> Paragraph:
    style = ParagraphStyle(
        f"{size} {bold} {quiet} {right}",
        fontName=BOLD if bold else PLAIN,
        fontSize=size,
        leading=size * 1.35,
        textColor=QUIET if quiet else INK,
        **({"alignment": TA_RIGHT} if right else {}),
    )
    return Paragraph(escape(text), style)
