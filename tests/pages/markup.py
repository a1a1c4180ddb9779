"""Reading of a page in tests: what a validator would complain about, links and texts."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
LABELLED = frozenset({"input", "select", "textarea"})
SVG_EMPTY = frozenset({"rect", "path", "circle"})


class Page(HTMLParser):
    """Collects elements and faults: unclosed or stray tags, double ids, unlabelled inputs."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.text = ""
        self.title = ""
        self._open: list[str] = []
        self._labels = 0
        self._labelled: set[str] = set()
        self._wanting: list[str] = []
        self.feed(html)
        self.close()
        self._finish(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> repeats an attribute")
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self._attributes(tag, given)
        if tag == "label":
            self._labels += 1
            if "for" in given:
                self._labelled.add(given["for"])
        if tag in LABELLED and given.get("type") != "hidden" and not self._labels:
            self._wanting.append(given.get("id", "?"))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()
            if tag not in SVG_EMPTY:
                self.faults.append(f"<{tag}/> closes itself")

    def _attributes(self, tag: str, given: dict[str, str]) -> None:
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "img" and "alt" not in given:
            self.faults.append("an image has no alt")
        if tag == "svg" and given.get("aria-hidden") != "true" and given.get("role") != "img":
            self.faults.append("a drawing is neither hidden nor named")
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag}> has the attribute {name}")
            if name in {"href", "src", "action"} and value.lower().startswith(
                ("javascript:", "data:", "vbscript:")
            ):
                self.faults.append(f"<{tag}> leads to {value}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._labels -= 1
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:]}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            given, text = self.scripts[-1]
            self.scripts[-1] = (given, text + data)
        elif self._open[-1:] == ["title"] and "svg" not in self._open:
            self.title += data
        else:
            self.text += data

    def _finish(self, html: str) -> None:
        tags = [tag for tag, _ in self.elements]
        if not html.startswith("<!doctype html>"):
            self.faults.append("there is no doctype")
        if self._open:
            self.faults.append(f"still open: {self._open}")
        for tag in ("h1", "main", "header", "footer"):
            wanted = 1
            found = tags.count(tag) if tag != "header" else min(tags.count(tag), 1)
            if found != wanted:
                self.faults.append(f"{found} elements <{tag}>")
        double = {i for i in self.ids if self.ids.count(i) > 1}
        self.faults += [f"the id {i!r} is there twice" for i in sorted(double)]
        self.faults += [
            f"the input {i!r} has no label" for i in self._wanting if i not in self._labelled
        ]
        for tag, given in self.elements:
            for name in ("aria-labelledby", "aria-describedby", "form"):
                for target in given.get(name, "").split():
                    if target not in self.ids:
                        self.faults.append(f"<{tag} {name}> points to nothing: {target}")
        if tags.count("table") != tags.count("caption"):
            self.faults.append("a table has no caption")
