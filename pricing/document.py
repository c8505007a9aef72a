"""A document for others as blocks, written as one page that needs nothing beside it, or as PDF."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2rem auto; padding: 0 1rem; color: #1c1917 }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e7e5e4; text-align: right }
th:first-child, td:first-child { text-align: left } p, li { overflow-wrap: anywhere }
.bar { display: inline-block; height: .7em; background: #c2410c } .less { background: #0f766e }
figure { display: inline-block; margin: .5rem 0; max-width: 100% } svg { max-width: 100%; height: auto }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } table { break-inside: avoid } }
"""
BAR_AT_MOST_PX, BAR_PX = 150.0, 300.0  # the longest bar; of a whole
INK, QUIET, LINE, MORE, LESS = "#1c1917", "#78716c", "#e7e5e4", "#c2410c", "#0f766e"
MARGIN_PT, TEXT_PT, SMALLEST_PT = 46.0, 9.0, 4.5
PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the document's own."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list of points."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of texts; `bars` are shares (-1 to 1) drawn after the rows: one a row, or none."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing as SVG markup of our own making. A PDF leaves it out: the tables say what it shows."""

    svg: str


type Block = Heading | Text | Points | Rows | Drawing


def as_html(title: str, blocks: Iterable[Block]) -> str:
    """One page. Every text is escaped."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>{''.join(map(_markup, blocks))}</html>\n"
    )


def _markup(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Points(texts):
            return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"
        case Rows():
            return _table_markup(block)
        case Drawing(svg):
            return f"<figure>{svg}</figure>"


def _table_markup(table: Rows) -> str:
    bars = [f"<td>{_bar(share)}</td>" for share in table.bars] or [""] * len(table.rows)
    cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.rows]
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head) + ("<th></th>" if table.bars else "")
    lines = "".join(f"<tr>{row}{bar}</tr>" for row, bar in zip(cells, bars, strict=True))
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _bar(share: float) -> str:
    width = min(abs(share) * BAR_PX, BAR_AT_MOST_PX)
    return f'<span class="bar{" less" if share < 0 else ""}" style="width:{width:.0f}px"></span>'


def as_pdf(title: str, blocks: Iterable[Block]) -> bytes:
    """The same texts on A4; the same blocks give the same bytes."""
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415  heavy: only a PDF needs it
    from reportlab.platypus import SimpleDocTemplate  # noqa: PLC0415

    load_fonts()
    width = A4[0] - 2 * MARGIN_PT
    held = BytesIO()
    document = SimpleDocTemplate(
        held, pagesize=A4, leftMargin=MARGIN_PT, rightMargin=MARGIN_PT, topMargin=MARGIN_PT, bottomMargin=MARGIN_PT,
        title=title, author="Wayrate", invariant=1,
    )  # fmt: skip

    def number(canvas: Any, shown: Any) -> None:
        canvas.setFont(PLAIN, 8)
        canvas.drawString(MARGIN_PT, MARGIN_PT / 2, title)
        canvas.drawRightString(A4[0] - MARGIN_PT, MARGIN_PT / 2, str(shown.page))

    parts = [part for block in blocks for part in _printed(block, width)]
    document.build(parts, onFirstPage=number, onLaterPages=number)
    return held.getvalue()


def _printed(block: Block, width: float) -> list[Any]:
    from reportlab.platypus import Paragraph, Spacer  # noqa: PLC0415

    match block:
        case Heading(level, text):
            return [Paragraph(escape(text), _style(max(TEXT_PT, 20.0 - 4 * level), bold=True, keep=True))]
        case Text(text):
            return [Paragraph(escape(text), _style(TEXT_PT)), Spacer(1, 3)]
        case Points(texts):
            return [Paragraph(escape(text), _style(TEXT_PT), bulletText="•") for text in texts]
        case Rows():
            return [_printed_table(block, width), Spacer(1, 3)]
        case Drawing():
            return []


def _printed_table(table: Rows, width: float) -> Any:
    """Columns as wide as their words ask; where the page is too narrow for that, smaller letters and broken lines."""
    from reportlab.pdfbase.pdfmetrics import stringWidth  # noqa: PLC0415
    from reportlab.platypus import Paragraph, Table  # noqa: PLC0415

    rows = [table.head, *table.rows]
    share = 0.18 * width if table.bars else 0.0
    fonts = [BOLD, *[PLAIN] * len(table.rows)]
    asked = [
        8 + max(stringWidth(row[place], font, TEXT_PT) for row, font in zip(rows, fonts, strict=True))
        for place in range(len(table.head))
    ]
    fit = min(1.0, (width - share) / sum(asked))
    size = max(SMALLEST_PT, TEXT_PT * max(fit, 0.6))
    cells: list[list[Any]] = [
        [Paragraph(escape(text), _style(size, bold=not number, right=place > 0)) for place, text in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    if table.bars:
        for row, bar in zip(cells, [None, *table.bars], strict=True):
            row.append("" if bar is None else _printed_bar(bar, share))
    widths = [each * fit for each in asked] + ([share] if table.bars else [])
    found = Table(cells, colWidths=widths, hAlign="LEFT", repeatRows=1)
    found.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 1),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, LINE),
        ]
    )
    return found


def _printed_bar(share: float, width: float) -> Any:
    from reportlab.graphics.shapes import Drawing as Shapes  # noqa: PLC0415
    from reportlab.graphics.shapes import Rect  # noqa: PLC0415
    from reportlab.lib.colors import HexColor  # noqa: PLC0415

    length = (width - 6) * min(abs(share) * BAR_PX, BAR_AT_MOST_PX) / BAR_AT_MOST_PX
    colour = HexColor(LESS if share < 0 else MORE)
    return Shapes(width - 6, 6, Rect(0, 0, length, 5, fillColor=colour, strokeColor=None))


@cache
def _style(size: float, *, bold: bool = False, right: bool = False, keep: bool = False) -> Any:
    from reportlab.lib.colors import HexColor  # noqa: PLC0415
    from reportlab.lib.enums import TA_LEFT, TA_RIGHT  # noqa: PLC0415
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415

    return ParagraphStyle(
        f"{size} {bold} {right} {keep}",
        fontName=BOLD if bold else PLAIN,
        fontSize=size,
        leading=size * 1.35,
        textColor=HexColor(INK),
        alignment=TA_RIGHT if right else TA_LEFT,
        keepWithNext=1 if keep else 0,
        spaceBefore=10 if keep else 0,
        spaceAfter=3 if keep else 0,
        splitLongWords=1,
        leftIndent=0,
    )


@cache
def load_fonts() -> None:
    """DejaVu Sans has the letters of Europe and the minus sign; it lies in matplotlib's wheel."""
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    found = find_spec("matplotlib")  # it is not imported: that would take longer than the whole document
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
