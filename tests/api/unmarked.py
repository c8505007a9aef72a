"""What a page says that no translation reaches: words of a template outside of gettext, English in a German page."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from jinja2 import nodes

from api.rendering import make_environment

WORD = re.compile(r"[^\W\d_]{2,}")
NAMES = {"Wayrate", "UTC", "CSV", "PDF"}  # as they are in every language
SEEN_ATTRIBUTES = re.compile(r"\b(?:aria-label|title|placeholder|alt)=([\"'])(.*?)\1")
ATTRIBUTE = re.compile(r'^ class="\w+"$')  # a block of its own, inside of a tag
UNSEEN = re.compile(r"<(code|svg|script|style)\b.*?</\1>|<[^<>]*>|&\w+;", re.DOTALL)
# Words that an English sentence hardly does without and no German one has.
ENGLISH = re.compile(
    r"\b(the|of|and|is|are|with|not|by|from|this|what|who|where|which|has|have|been|than|that|for|its|nothing|yes|"
    r"over|since|policy|policies|month|months|claims|trips|years|shown|kept|waits|open|yet|your|you|their)\b"
)
GETTEXT = {"_", "gettext", "ngettext"}


def unmarked(source: str) -> list[str]:
    """Words of a template that its reader would see in English whatever their language."""
    seen, said = "", []
    for output in make_environment().parse(source).find_all(nodes.Output):
        for one in output.nodes:
            if isinstance(one, nodes.TemplateData):
                seen += ATTRIBUTE.sub("", one.data)
            elif seen.rfind("<") <= seen.rfind(">"):  # outside of a tag: in one it is no text
                said += [text for text in _constants(one) if WORD.search(text)]
                seen += " "
    said += [match.group(2) for match in SEEN_ATTRIBUTES.finditer(seen)]
    said.append(UNSEEN.sub(" ", seen))
    return sorted({word for text in said for word in WORD.findall(text)} - NAMES)


def _constants(one: nodes.Node) -> Iterator[str]:
    """The texts that an expression may come to; what is given to gettext is said, names and keys are none."""
    if isinstance(one, nodes.Const):
        if isinstance(one.value, str):
            yield one.value
    elif isinstance(one, nodes.Call):
        if not (isinstance(one.node, nodes.Name) and one.node.name in GETTEXT):
            texts = (text for argument in one.args for text in _constants(argument))
            yield from (text for text in texts if " " in text)  # a single word is the name of something
    elif isinstance(one, nodes.Filter):
        if one.node is not None:
            yield from _constants(one.node)
    elif isinstance(one, nodes.CondExpr):
        yield from (text for branch in (one.expr1, one.expr2) if branch for text in _constants(branch))
    elif isinstance(one, nodes.Or | nodes.And | nodes.Concat | nodes.Add):
        yield from (text for part in one.iter_child_nodes() for text in _constants(part))


class _Texts(HTMLParser):
    """Every text of a page but code, drawings' styles and what is said to be English."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in {"meta", "link", "input", "br", "path", "rect", "line", "circle", "img"}:
            self.open.append((tag, (given.get("lang") == "en" and tag != "html") or tag in {"code", "pre", "textarea"}))
        self.texts += [given[name] or "" for name in ("aria-label", "title", "placeholder", "alt") if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(is_left_out for _, is_left_out in self.open):
            self.texts.append(data)


def english_in(html: str) -> list[str]:
    """Texts of a German page that hold an English word."""
    page = _Texts()
    page.feed(html)
    return sorted({text.strip() for text in page.texts if ENGLISH.search(text)})
