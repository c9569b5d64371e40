"""A reader of HTML that forgives nothing: every element is closed in order, and none is there that could do harm."""

from html.parser import HTMLParser

_VOID = {"meta"}
_KNOWN = {
    *("html", "head", "meta", "title", "noscript", "style", "body", "main", "footer", "script", "header", "section"),
    *("h1", "h2", "span", "p", "div", "strong", "small", "svg", "path", "dl", "dt", "dd", "b", "table", "thead"),
    *("tbody", "tr", "th", "td", "ol", "li", "a"),
}


class Markup(HTMLParser):
    """Of a whole page: its elements in order, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _KNOWN, tag
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        assert not [name for name in names if name.startswith("on") or name in {"style", "src", "srcdoc"}], attrs
        assert dict(attrs).get("href") in {None, "/metrics"}
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "path", tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.words += data

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)
