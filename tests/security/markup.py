"""Reading answers as a browser, a spreadsheet or a mail program would, to see what a hostile text became."""

from html.parser import HTMLParser
from xml.etree import ElementTree

URL_ATTRIBUTES = {"href", "src", "action", "formaction", "hx-get", "hx-post", "xlink:href"}


class _Reader(HTMLParser):
    def __init__(self, *, is_mail: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.is_mail = is_mail
        self.faults: list[str] = []
        self.text: list[str] = []
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.in_script = tag == "script"
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.faults.append(f"a script that is not ours: {given}")
        if tag in {"object", "embed", "base", "marquee", "math"} or tag.startswith("x-"):
            self.faults.append(f"<{tag}>")
        if tag == "style" and not self.is_mail:
            self.faults.append("<style>")
        for name, value in given.items():
            if name.startswith("on") or (name == "style" and not self.is_mail):
                self.faults.append(f"<{tag} {name}={value!r}>")
            is_picture = tag == "img" and value.startswith("data:image/png;base64,")
            if (
                name in URL_ATTRIBUTES
                and _scheme_of(value) in {"javascript", "data", "vbscript"}
                and not is_picture
            ):
                self.faults.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.in_script and data.strip():
            self.faults.append(f"inline script: {data.strip()[:80]}")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False


def _scheme_of(url: str) -> str:
    return "".join(url.split()).partition(":")[0].lower()


def read_html(page: str, *, is_mail: bool = False) -> tuple[list[str], str]:
    """Return what a browser would run or fetch that is not ours, and the text that it would show.

    is_mail: styles may stand inside, as mail programs need it.
    """
    reader = _Reader(is_mail=is_mail)
    reader.feed(page)
    reader.close()
    return reader.faults, " ".join(reader.text)


def svg_faults(svg: str) -> list[str]:
    """Return the elements and attributes of a picture that could run something; raises when it is not XML."""
    faults = []
    for element in ElementTree.fromstring(svg).iter():
        if element.tag.rpartition("}")[2] in {"script", "foreignObject", "iframe", "handler"}:
            faults.append(element.tag)
        faults += [name for name in element.attrib if name.rpartition("}")[2].startswith("on")]
    return faults


def is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet would compute a cell: it starts like a formula and is no number."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
