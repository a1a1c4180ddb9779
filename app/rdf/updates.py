"""What a SPARQL 1.1 Update would write, read from its tokens before anything runs.

The engine shows no algebra, so the grammar (SPARQL 1.1 §19.8, rules 29 to 52) is followed here as
far as it says which graphs change: templates and graph management exactly, patterns by their braces
alone. A graph that were overlooked would mean an effect that is lost without a word. So the grammar
is kept to the letter where the engine is laxer (`INSERTDATA{`, `CLEARGRAPH:g`), and what can be
read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from pyoxigraph import NamedNode, RdfFormat, parse

from app.errors import SyntaxRejected
from app.rdf.tokens import tokens

_DEEPEST = 200
_LOCAL_ESCAPE = re.compile(r"\\(.)")
_SQUEEZED = ("GRAPH", "SILENT")
_VERBS = ("INSERT", "DELETE", "WITH", "CLEAR", "DROP", "CREATE", "COPY", "MOVE", "ADD", "LOAD")


@dataclass(frozen=True, slots=True)
class Targets:
    """Graphs that an update may change.

    `graphs` are those that it names, `default` is the default graph, `variable` says that a
    template writes to `GRAPH ?g`, `every` that all named graphs are cleared or dropped.
    """

    graphs: frozenset[str] = frozenset()
    default: bool = False
    variable: bool = False
    every: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Operations that share a prologue, with what was declared before them.

    The engine knows a prologue at the beginning only; the grammar has one after each `;`. Lines and
    columns count as in the whole text.
    """

    text: str
    base_iri: str
    prefixes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """An update that was read; `states_dataset` says that it uses WITH or USING.

    In `text`, blanks stand for each LOAD SILENT: nothing is loaded from elsewhere, and that this
    fails is to be passed over (SPARQL 1.1 Update §3.1.4). `emptied` are graphs that it clears or
    drops and does not create.
    """

    text: str
    targets: Targets
    states_dataset: bool
    emptied: frozenset[str]
    _patterns: tuple[tuple[int, str], ...]
    _parts: tuple[tuple[int, int, str, int], ...]
    _declared: tuple[tuple[str, str], ...]

    def parts(self) -> Iterator[Part]:
        """What to run, one after the other."""
        for start, end, base_iri, declared in self._parts:
            line = self.text.count("\n", 0, start)
            column = start - self.text.rfind("\n", 0, start) - 1
            text = "\n" * line + " " * column + self.text[start:end]
            yield Part(text, base_iri, dict(self._declared[:declared]))

    def using(self, default: Iterable[str], named: Iterable[str]) -> str:
        """The text with these graphs as the dataset of every pattern that states none (§3.1.3)."""
        clauses = [f"USING {NamedNode(iri)}" for iri in default]
        clauses += [f"USING NAMED {NamedNode(iri)}" for iri in named]
        stated, made, at = " ".join(clauses), [], 0
        for place, template in self._patterns:
            made += [self.text[at:place], template, " ", stated, " "]
            at = place
        return "".join([*made, self.text[at:]])


def read_update(text: str, base_iri: str) -> Script:
    """Read an update; raises SyntaxRejected with the place of what the grammar does not have."""
    return _Reader(text, base_iri).read()


def update_targets(text: str, base_iri: str) -> Targets:
    """The graphs that an update may change; raises SyntaxRejected."""
    return read_update(text, base_iri).targets


class _Reader:
    """One pass over the tokens; recursive in nothing, linear in the text."""

    def __init__(self, text: str, base_iri: str) -> None:
        self._text = text
        self._tokens = (token for token in tokens(text) if token.lastgroup != "comment")
        self._next = next(self._tokens, None)
        self._end = 0
        self._base = base_iri
        self._prefixes: dict[str, str] = {}
        self._declared: list[tuple[str, str]] = []
        self._known: dict[tuple[str, str], str] = {}
        self._graphs: set[str] = set()
        self._emptied: set[str] = set()
        self._created: set[str] = set()
        self._default = self._variable = self._every = False
        self._states_dataset = False
        self._patterns: list[tuple[int, str]] = []
        self._passed_over: list[tuple[int, int]] = []

    def read(self) -> Script:
        """The whole text (rule 29)."""
        parts, start, before = [], 0, (self._base, 0)
        while self._prologue():
            silent = self._operation()
            if self._next is None:
                break
            end = self._expect(";").start()
            if silent:
                self._passed_over.append((end, end + 1))
            if self._at("BASE", "PREFIX", "VERSION") and self._next:
                parts.append((start, end, *before))
                start, before = self._next.start(), (self._base, len(self._declared))
        parts.append((start, len(self._text), *before))
        return Script(
            self._remaining(),
            Targets(frozenset(self._graphs), self._default, self._variable, self._every),
            self._states_dataset,
            frozenset(self._emptied - self._created),
            tuple(self._patterns),
            tuple(parts),
            tuple(self._declared),
        )

    def _prologue(self) -> bool:
        """Pass over declarations; whether an operation follows."""
        while self._at("BASE", "PREFIX", "VERSION"):
            word = self._word()
            if word == "BASE":
                self._base = self._iri()
            elif word == "PREFIX":
                name = self._take()
                prefix = name["prefix"] or "" if name.lastgroup == "name" else ""
                if name.group() != f"{prefix}:":
                    self._refuse(name, "a prefix with its colon")
                self._prefixes[prefix] = self._iri()
                self._declared.append((prefix, self._prefixes[prefix]))
            else:
                self._take()
        return self._next is not None

    def _remaining(self) -> str:
        """The text without what is passed over; all else stays in its place."""
        made, at = [], 0
        for start, end in self._passed_over:
            made += [self._text[at:start], re.sub(r"[^\n]", " ", self._text[start:end])]
            at = end
        return "".join([*made, self._text[at:]])

    def _operation(self) -> bool:
        """Read one operation; whether it is passed over."""
        at = self._next
        verb = self._word(*_VERBS)
        if verb == "LOAD":
            return self._load(at.start() if at else 0)
        self._change(verb)
        return False

    def _load(self, start: int) -> bool:
        """Rule 31."""
        silent = self._at("SILENT")
        if silent:
            self._word()
        self._iri()
        end = self._end
        if self._at("INTO"):
            self._word()
            self._word("GRAPH")
            self._iri()
            end = self._end
        if silent:
            self._passed_over.append((start, end))
        return silent

    def _change(self, verb: str) -> None:
        if verb in {"CLEAR", "DROP", "CREATE", "COPY", "MOVE", "ADD"}:
            self._manage(verb)
            return
        graph = None
        if verb == "WITH":
            graph, self._states_dataset = self._iri(), True
            verb = self._word("DELETE", "INSERT")
        elif self._at("DATA"):
            self._word()
            self._template(None)
            return
        elif verb == "DELETE" and self._at("WHERE"):
            place = self._take().start()
            start, end = self._template(None)
            self._patterns.append((place, self._text[start:end]))
            return
        self._modify(verb, graph)

    def _manage(self, verb: str) -> None:
        """Rules 32 to 37."""
        if self._at("SILENT"):
            self._word()
        if verb == "CREATE":
            self._word("GRAPH")
            self._created.add(self._iri())
            self._graphs |= self._created
        elif verb in {"CLEAR", "DROP"}:
            what = self._word("GRAPH", "DEFAULT", "NAMED", "ALL")
            if what == "GRAPH":
                self._emptied.add(self._iri())
                self._graphs |= self._emptied
            self._default |= what in {"DEFAULT", "ALL"}
            self._every |= what in {"NAMED", "ALL"}
        else:
            source = self._graph_or_default()
            self._word("TO")
            self._writes(self._graph_or_default())
            if verb == "MOVE":
                self._writes(source)

    def _graph_or_default(self) -> str | None:
        if self._at("DEFAULT"):
            self._word()
            return None
        if self._at("GRAPH"):
            self._word()
        elif (name := self._next) and name.group().upper().startswith(_SQUEEZED):
            # to the engine these are a keyword and `:name`
            raise self._error(name, "This prefix begins like a keyword; declare another.")
        return self._iri()

    def _modify(self, verb: str, graph: str | None) -> None:
        """Rule 41, from after its first verb; `graph` is that of WITH."""
        self._template(graph)
        if verb == "DELETE" and self._at("INSERT"):
            self._word()
            self._template(graph)
        stated = graph is not None
        while self._at("USING"):
            self._word()
            if self._at("NAMED"):
                self._word()
            self._iri()
            stated = self._states_dataset = True
        where = self._next
        self._word("WHERE")
        if where and not stated:
            self._patterns.append((where.start(), ""))
        self._pattern()

    def _template(self, graph: str | None) -> tuple[int, int]:
        """Pass over quads (rules 48 to 51), which go to `graph` if they name none."""
        start = self._expect("{").start()
        while (word := (token := self._take()).group()) != "}":
            if word == "{":
                self._refuse(token, "GRAPH and its name before a brace")
            if token.lastgroup == "words" and word.upper() == "GRAPH":
                self._graph_block()
            elif word != ".":
                self._writes(graph)
        return start, token.end()

    def _graph_block(self) -> None:
        if self._next and self._next.lastgroup == "variable":
            self._take()
            self._variable = True
        else:
            self._graphs.add(self._iri())
        self._expect("{")
        while (word := (token := self._take()).group()) != "}":
            if word == "{":
                self._refuse(token, "no brace inside a graph")

    def _pattern(self) -> None:
        """Pass over a group graph pattern."""
        self._expect("{")
        depth = 1
        while depth:
            token = self._take()
            depth += (token.group() == "{") - (token.group() == "}")
            if depth > _DEEPEST:
                self._refuse(token, f"at most {_DEEPEST} braces in each other")

    def _writes(self, graph: str | None) -> None:
        if graph is None:
            self._default = True
        else:
            self._graphs.add(graph)

    def _iri(self) -> str:
        """An IRI or prefixed name, as the engine would resolve it."""
        token = self._take()
        if token.lastgroup == "name":
            prefix, _, local = token.group().partition(":")
            if prefix not in self._prefixes:
                raise self._error(
                    token, f"The prefix {prefix}: is used without a PREFIX declaration."
                )
            return self._prefixes[prefix] + _LOCAL_ESCAPE.sub(r"\1", local)
        if token.lastgroup != "iri":
            self._refuse(token, "an IRI")
        key = (token.group(), self._base)
        if key not in self._known:
            self._known[key] = self._resolved(token)
        return self._known[key]

    def _resolved(self, token: re.Match[str]) -> str:
        # By the engine itself: two opinions on what an IRI is relative to would be one too many.
        line = f"{token.group()} <x:> <x:> ."
        try:
            triple = next(iter(parse(line, format=RdfFormat.TURTLE, base_iri=self._base)))
        except SyntaxError:
            raise self._error(token, f"{token.group()[:100]} is no IRI.") from None
        name = triple.subject
        return name.value if isinstance(name, NamedNode) else ""

    def _at(self, *words: str) -> bool:
        found = self._next
        return bool(found and found.lastgroup == "words" and found.group().upper() in words)

    def _word(self, *words: str) -> str:
        token = self._take()
        word = token.group().upper()
        if words and (token.lastgroup != "words" or word not in words):
            self._refuse(token, " or ".join(words))
        return word

    def _expect(self, word: str) -> re.Match[str]:
        token = self._take()
        if token.group() != word:
            self._refuse(token, word)
        return token

    def _take(self) -> re.Match[str]:
        token = self._next
        if token is None:
            raise SyntaxRejected(
                "The update ends too early: a brace, a name or a keyword is missing.",
                line=self._text.count("\n") + 1,
            )
        if token.lastgroup == "doubt":
            raise self._error(
                token,
                "This can be read as an IRI and as a comparison. Put a space after the less-than "
                "sign, or write the IRI in full.",
            )
        self._next, self._end = next(self._tokens, None), token.end()
        return token

    def _refuse(self, token: re.Match[str], expected: str) -> NoReturn:
        found = token.group()[:60]
        raise self._error(
            token, f"Expected {expected}, found {found}. Separate keywords and names by spaces."
        )

    def _error(self, token: re.Match[str], detail: str) -> SyntaxRejected:
        at = token.start()
        return SyntaxRejected(
            detail,
            line=self._text.count("\n", 0, at) + 1,
            column=at - self._text.rfind("\n", 0, at),
        )
