"""The one reader of ontology and shapes (SHACL 1.0 Core) into a `Profile`.

Read are all Turtle files of both folders, as one graph each, so that a second file may add a
property to a shape of the first. A named property shape (``pf:name``) becomes a field; unnamed
ones on the same path only constrain it, where their severity is sh:Violation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyoxigraph as ox

from app.profile.model import EntityType, Field, Kind, Part, Profile, ProfileError, Step
from app.rdf.terms import DASH, OWL, PF, RDF, RDFS, SH, SKOS

RESERVED_NAMES = frozenset(
    {"id", "type", "name", "url", "example", "asserted_by", "also", "truncated", "provenance"}
    | {"items", "total", "next", "facets"}
)
"""JSON names with a meaning of their own in every record or page of records."""

PARAMETERS = frozenset(
    {"limit", "offset", "q", "lang", "facets", "sort", "fields", "include"}
    | {"bbox", "near", "cursor", "format", "iri"}
)
"""Query parameters of lists; a field of an entity type cannot be called so."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_COLLECTION = re.compile(r"[a-z][a-z0-9-]*\Z")
_DECLARES = re.compile(rb"Class|Property|Datatype")
_TEXT_TYPES = {RDF["langString"], RDF["dirLangString"]}


def load_profile(ontology_dir: Path, shapes_dir: Path, base_iri: str) -> Profile:
    """Read the profile; raises ProfileError when it is inconsistent.

    Without shapes it is empty: a service with SPARQL alone.
    """
    shape_files = sorted(shapes_dir.glob("**/*.ttl"))
    ontology_files = sorted(ontology_dir.glob("**/*.ttl"))
    digest = hashlib.sha256(base_iri.encode())
    shapes = _Graph(_read(shape_files, digest))
    ontology = _ontology_store(ontology_files, digest)
    reader = _Reader(shapes, ontology, base_iri)
    profile = reader.profile(ontology_dir.resolve(), shapes_dir.resolve(), digest.hexdigest()[:16])
    if shape_files and not profile.types:
        raise ProfileError("No shape is an entity type: give at least one pf:name.")
    return profile


def _read(files: Iterable[Path], digest: hashlib._Hash) -> Iterator[ox.Quad]:
    for file in files:
        data = file.read_bytes()
        digest.update(data)
        try:
            yield from ox.parse(data, ox.RdfFormat.TURTLE, rename_blank_nodes=True)
        except SyntaxError as error:
            raise ProfileError(f"{file}: {error}") from None


def _ontology_store(files: Iterable[Path], digest: hashlib._Hash) -> ox.Store:
    store = ox.Store()
    for file in files:
        data = file.read_bytes()
        digest.update(data)
        if not _DECLARES.search(data):
            continue  # a code list, of which the profile needs nothing
        try:
            store.bulk_load(data, ox.RdfFormat.TURTLE)
        except SyntaxError as error:
            raise ProfileError(f"{file}: {error}") from None
    return store


class _Graph:
    """Subject → predicate → objects, with the access that shapes need."""

    def __init__(self, quads: Iterable[ox.Quad]) -> None:
        self._index: dict[object, dict[ox.NamedNode, list[ox.NamedNode | ox.Literal]]] = {}
        for quad in quads:
            objects = self._index.setdefault(quad.subject, {}).setdefault(quad.predicate, [])
            if quad.object not in objects:
                objects.append(quad.object)  # type: ignore[arg-type]

    def __contains__(self, node: object) -> bool:
        return node in self._index

    def subjects(self) -> Iterator[object]:
        yield from self._index

    def objects(self, node: object, predicate: ox.NamedNode) -> Sequence[ox.NamedNode | ox.Literal]:
        return self._index.get(node, {}).get(predicate, ())

    def iris(self, node: object, predicate: ox.NamedNode) -> tuple[ox.NamedNode, ...]:
        return tuple(o for o in self.objects(node, predicate) if isinstance(o, ox.NamedNode))

    def iri(self, node: object, predicate: ox.NamedNode) -> ox.NamedNode | None:
        return next(iter(self.iris(node, predicate)), None)

    def literal(self, node: object, predicate: ox.NamedNode) -> ox.Literal | None:
        found = (o for o in self.objects(node, predicate) if isinstance(o, ox.Literal))
        return next(found, None)

    def string(self, node: object, predicate: ox.NamedNode) -> str | None:
        found = self.literal(node, predicate)
        return found.value if found is not None else None

    def integer(self, node: object, predicate: ox.NamedNode) -> int | None:
        text = self.string(node, predicate)
        return int(text) if text is not None else None

    def flag(self, node: object, predicate: ox.NamedNode) -> bool:
        return self.string(node, predicate) in {"true", "1"}

    def texts(self, node: object, *predicates: ox.NamedNode) -> dict[str, str]:
        found: dict[str, str] = {}
        for predicate in predicates:
            for o in self.objects(node, predicate):
                if isinstance(o, ox.Literal):
                    found.setdefault(o.language or "en", o.value)
        return found

    def members(self, head: object) -> list[ox.NamedNode | ox.Literal]:
        """The members of an RDF list."""
        found: list[ox.NamedNode | ox.Literal] = []
        seen = set()
        while head != RDF["nil"] and head not in seen:
            seen.add(head)
            found += self.objects(head, RDF["first"])
            rest = self.objects(head, RDF["rest"])
            head = rest[0] if rest else RDF["nil"]
        return found


class _Reader:
    def __init__(self, shapes: _Graph, ontology: ox.Store, base_iri: str) -> None:
        self._shapes = shapes
        self._ontology = ontology
        self._base_iri = base_iri
        self._parts: dict[object, Part] = {}
        self._open: list[object] = []  # part shapes being read, to see a cycle
        self._type_shapes = {
            node
            for node in shapes.subjects()
            if isinstance(node, ox.NamedNode) and self._is_named_type(node)
        }

    def _is_named_type(self, node: ox.NamedNode) -> bool:
        named = self._shapes.objects(node, PF["name"])
        return bool(named) and not self._shapes.objects(node, SH["path"])

    # the whole

    def profile(self, ontology_dir: Path, shapes_dir: Path, fingerprint: str) -> Profile:
        types = [self._entity_type(node) for node in self._type_shapes]
        types.sort(key=lambda kind: (kind.order, kind.name))
        self._check_types(types)
        parts = sorted(self._parts.values(), key=lambda part: part.name)
        labels = self._labels()
        return Profile(
            base_iri=self._base_iri,
            ontology_dir=ontology_dir,
            shapes_dir=shapes_dir,
            types=tuple(types),
            parts=tuple(parts),
            class_terms=self._class_terms(types, parts),
            labels=labels,
            languages=self._languages(types),
            fingerprint=fingerprint,
        )

    def _check_types(self, types: Sequence[EntityType]) -> None:
        for what, values in (
            ("pf:name", [kind.name for kind in types]),
            ("pf:collection", [kind.collection for kind in types]),
            ("IRI path", [kind.path for kind in types]),
            ("sh:targetClass", [c.value for kind in types for c in kind.classes]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ProfileError(f"Two entity types have the same {what}: {', '.join(twice)}.")

    def _languages(self, types: Sequence[EntityType]) -> tuple[str, ...]:
        found = dict.fromkeys(["en", *(lang for kind in types for lang in kind.labels)])
        return tuple(found)

    def _labels(self) -> dict[str, dict[str, str]]:
        """Labels of classes, properties, groups and shapes, from both folders."""
        labels: dict[str, dict[str, str]] = {}
        terms = {
            quad.subject
            for kind in ("Class", "ObjectProperty", "DatatypeProperty", "AnnotationProperty")
            for quad in self._ontology.quads_for_pattern(None, RDF["type"], OWL[kind], None)
        }
        for kind in (RDFS["Class"], RDF["Property"], RDFS["Datatype"]):
            quads = self._ontology.quads_for_pattern(None, RDF["type"], kind, None)
            terms |= {quad.subject for quad in quads}
        for term in terms:
            for predicate in (RDFS["label"], SKOS["prefLabel"]):
                for quad in self._ontology.quads_for_pattern(term, predicate, None, None):
                    if isinstance(term, ox.NamedNode) and isinstance(quad.object, ox.Literal):
                        texts = labels.setdefault(term.value, {})
                        texts.setdefault(quad.object.language or "en", quad.object.value)
        for node in self._shapes.subjects():
            if isinstance(node, ox.NamedNode) and (
                texts := self._shapes.texts(node, RDFS["label"], SH["name"])
            ):
                labels[node.value] = {**labels.get(node.value, {}), **texts}
        return labels

    def _class_terms(self, types: Sequence[EntityType], parts: Sequence[Part]) -> dict[str, str]:
        """Short names of classes; of two classes with one local name the first keeps it."""
        terms: dict[str, str] = {}
        taken: set[str] = set()
        shapes: list[EntityType | Part] = [*types, *parts]
        declared = [
            quad.subject
            for kind in (OWL["Class"], RDFS["Class"])
            for quad in self._ontology.quads_for_pattern(None, RDF["type"], kind, None)
        ]
        candidates = [
            *(c for shape in shapes for c in shape.classes),
            *(c for shape in shapes for field in shape.fields for c in field.classes),
            *sorted((c for c in declared if isinstance(c, ox.NamedNode)), key=lambda c: c.value),
        ]
        for cls in candidates:
            name = re.split(r"[#/]", cls.value)[-1]
            if cls.value in terms or name in taken or not re.fullmatch(r"[A-Z]\w*", name):
                continue
            terms[cls.value] = name
            taken.add(name)
        return terms

    # node shapes

    def _entity_type(self, node: ox.NamedNode) -> EntityType:
        shapes = self._shapes
        where = _name_of(node)
        name = shapes.string(node, PF["name"]) or ""
        collection = shapes.string(node, PF["collection"]) or ""
        classes = shapes.iris(node, SH["targetClass"])
        if not _NAME.match(name) or not _COLLECTION.match(collection):
            raise ProfileError(
                f"{where}: pf:name and pf:collection must be lower-case words, "
                f"not {name!r} and {collection!r}."
            )
        if not classes:
            raise ProfileError(f"{where}: an entity type needs at least one sh:targetClass.")
        fields = self._fields(node, where)
        for field in fields:
            if field.name in PARAMETERS:
                raise ProfileError(
                    f"{where}: pf:name {field.name!r} is a parameter of every list; choose another."
                )
        return EntityType(
            name=name,
            collection=collection,
            shape=node.value,
            classes=tuple(sorted(classes, key=lambda c: c.value)),
            path=shapes.string(node, PF["path"]) or f"id/{name}/",
            labels=shapes.texts(node, RDFS["label"], SH["name"]),
            comments=shapes.texts(node, RDFS["comment"], SH["description"]),
            order=_number(shapes.literal(node, SH["order"])),
            fields=fields,
        )

    def _part(self, node: object, fallback: str) -> Part:
        if node in self._parts:
            return self._parts[node]
        if node in self._open:
            loop = " → ".join(_name_of(n) for n in (*self._open[self._open.index(node) :], node))
            raise ProfileError(f"Parts contain each other: {loop}. Make one a reference.")
        self._open.append(node)
        name = fallback
        if isinstance(node, ox.NamedNode):
            name = re.split(r"[#/]", node.value)[-1] or fallback
        where = _name_of(node) if isinstance(node, ox.NamedNode) else f"the part {name}"
        if any(part.name == name for part in self._parts.values()):
            raise ProfileError(f"Two part shapes are called {name}; rename one.")
        part = Part(
            name=name,
            shape=node.value if isinstance(node, ox.NamedNode) else "",
            classes=self._part_classes(node),
            labels=self._shapes.texts(node, RDFS["label"], SH["name"]),
            comments=self._shapes.texts(node, RDFS["comment"], SH["description"]),
            fields=self._fields(node, where),
        )
        self._open.pop()
        self._parts[node] = part
        return part

    def _part_classes(self, node: object) -> tuple[ox.NamedNode, ...]:
        found = [*self._shapes.iris(node, SH["targetClass"]), *self._shapes.iris(node, SH["class"])]
        for prop in self._property_shapes(node, set()):
            if self._shapes.objects(prop, SH["path"]) == [RDF["type"]]:
                found += self._shapes.iris(prop, SH["hasValue"])
                for head in self._shapes.objects(prop, SH["in"]):
                    members = self._shapes.members(head)
                    found += [m for m in members if isinstance(m, ox.NamedNode)]
        return tuple(sorted(set(found), key=lambda c: c.value))

    def _property_shapes(self, node: object, seen: set[object]) -> list[object]:
        """Own property shapes after those of shapes that this one builds on (sh:node, sh:and)."""
        if node in seen:
            return []
        seen.add(node)
        parents: list[object] = list(self._shapes.objects(node, SH["node"]))
        for head in self._shapes.objects(node, SH["and"]):
            parents += self._shapes.members(head)
        found: list[object] = []
        for parent in parents:
            self._known(parent, node)
            found += self._property_shapes(parent, seen)
        for prop in self._shapes.objects(node, SH["property"]):
            if not self._shapes.objects(prop, SH["path"]):
                raise ProfileError(f"{_name_of(node)}: a sh:property has no sh:path.")
            if not self._shapes.flag(prop, SH["deactivated"]):
                found.append(prop)
        return found

    def _known(self, shape: object, user: object) -> None:
        if shape not in self._shapes:
            raise ProfileError(f"{_name_of(user)} uses the unknown node shape {_name_of(shape)}.")

    # property shapes

    def _fields(self, node: object, where: str) -> tuple[Field, ...]:
        named: dict[str, list[object]] = {}
        paths: dict[str, tuple[Step, ...]] = {}
        unnamed: dict[tuple[Step, ...], list[object]] = {}
        for prop in self._property_shapes(node, set()):
            name = self._shapes.string(prop, PF["name"])
            path = self._path(self._shapes.objects(prop, SH["path"])[0])
            if name is None:
                if path is not None:
                    unnamed.setdefault(path, []).append(prop)
                continue
            if path is None:
                raise ProfileError(f"{where}: the path of {name!r} must be predicates in sequence.")
            self._check_name(name, where)
            if paths.setdefault(name, path) != path:
                raise ProfileError(f"{where}: the JSON name {name!r} stands for two paths.")
            named.setdefault(name, []).append(prop)
        written: list[tuple[Step, ...]] = [
            path for path in paths.values() if len(path) == 1 and not path[0].inverse
        ]
        for name, path in paths.items():
            if path == (Step(RDF["type"]),):
                raise ProfileError(f"{where}: rdf:type is shown as 'type' already, not {name!r}.")
            if written.count(path) > 1:
                raise ProfileError(
                    f"{where}: <{path[0].predicate.value}> has two JSON names, one is {name!r}."
                )
        fields = [
            self._field(name, paths[name], props, unnamed.get(paths[name], []), where)
            for name, props in named.items()
        ]
        return tuple(sorted(fields, key=lambda field: (field.order, field.name)))

    def _check_name(self, name: str, where: str) -> None:
        if not _NAME.match(name):
            raise ProfileError(f"{where}: pf:name {name!r} is not in snake_case.")
        if name in RESERVED_NAMES:
            raise ProfileError(
                f"{where}: pf:name {name!r} has a fixed meaning in records; choose another."
            )

    def _path(self, node: object) -> tuple[Step, ...] | None:
        """A predicate, its inverse, or a sequence of these; None for any other SHACL path."""
        if isinstance(node, ox.NamedNode):
            return (Step(node),)
        inverse = self._shapes.objects(node, SH["inversePath"])
        if inverse:
            inner = self._path(inverse[0])
            return (Step(inner[0].predicate, inverse=True),) if inner and len(inner) == 1 else None
        members = self._shapes.members(node)
        steps: list[Step] = []
        for member in members:
            inner = self._path(member)
            if inner is None:
                return None
            steps += inner
        return tuple(steps) or None

    def _field(
        self,
        name: str,
        path: tuple[Step, ...],
        props: Sequence[object],
        others: Sequence[object],
        where: str,
    ) -> Field:
        """`props` carry the name, the most specific last; `others` only constrain."""
        shapes = self._shapes
        strict = [p for p in others if self._strict(p)]
        all_props = [*strict, *props]
        view = _Merged(shapes, all_props)
        kind, classes, part = self._kind(name, view, path, where)
        labels, descriptions = view.texts(SH["name"]), view.texts(SH["description"])
        if not labels and len(path) == 1:
            labels = self._term_texts(path[0].predicate, RDFS["label"])
        single_line = view.literal(DASH["singleLine"])
        editor = view.iri(DASH["editor"])
        required = [p for p in all_props if self._strict(p)]
        return Field(
            name=name,
            path=path,
            kind=kind,
            datatypes=self._datatypes(view),
            classes=classes,
            part=part,
            min=max((shapes.integer(p, SH["minCount"]) or 0 for p in required), default=0),
            max=view.smallest(SH["maxCount"]),
            unique_lang=view.flag(SH["uniqueLang"]),
            labels=labels,
            descriptions=descriptions,
            order=_number(view.literal(SH["order"])),
            group=view.iri(SH["group"]),
            facet=view.flag(PF["facet"]),
            weight=_number(weight) if (weight := view.literal(PF["weight"])) else None,
            examples=tuple(view.objects(PF["example"])),
            naming=view.flag(PF["naming"]),
            labelling=view.iri(DASH["propertyRole"]) == DASH["LabelRole"],
            advisory=not any(self._strict(p) for p in props),
            values=tuple(m for head in view.objects(SH["in"]) for m in shapes.members(head)),
            scheme=self._scheme(all_props),
            pattern=view.string(SH["pattern"]) if not view.string(SH["flags"]) else None,
            min_length=view.integer(SH["minLength"]),
            max_length=view.integer(SH["maxLength"]),
            minimum=view.literal(SH["minInclusive"]),
            maximum=view.literal(SH["maxInclusive"]),
            editor=editor,
            viewer=view.iri(DASH["viewer"]),
            single_line=single_line.value != "false"
            if single_line is not None
            else editor is None or "TextArea" not in editor.value,
        )

    def _strict(self, prop: object) -> bool:
        return (self._shapes.iri(prop, SH["severity"]) or _VIOLATION) == _VIOLATION

    def _kind(
        self, name: str, view: _Merged, path: tuple[Step, ...], where: str
    ) -> tuple[Kind, tuple[ox.NamedNode, ...], Part | None]:
        shapes = self._shapes
        classes = list(view.iris(SH["class"]))
        alternatives = self._alternatives(view)
        for alternative in alternatives:
            classes += shapes.iris(alternative, SH["class"])
        part_shape: object = None
        for shape in (*view.objects(SH["node"]), *self._nodes(alternatives)):
            self._known(shape, f"{where}: {name}")
            if shape in self._type_shapes:
                classes += shapes.iris(shape, SH["targetClass"])
            elif self._has_fields(shape):
                part_shape = part_shape or shape
        unique = tuple(dict.fromkeys(classes))
        if part_shape is not None and len(path) == 1 and not path[0].inverse:
            part = self._part(part_shape, f"{_camel(where)}{_camel(name)}")
            return "part", unique or part.classes, part
        members = [m for head in view.objects(SH["in"]) for m in shapes.members(head)]
        node_kind = view.iri(SH["nodeKind"])
        is_reference = (
            bool(unique)
            or part_shape is not None
            or node_kind in {SH["IRI"], SH["BlankNodeOrIRI"], SH["BlankNode"]}
            or any(isinstance(m, ox.NamedNode) for m in members)
            or any(shapes.iri(a, SH["nodeKind"]) == SH["IRI"] for a in alternatives)
        )
        if is_reference:
            return "reference", unique, None
        if _TEXT_TYPES & set(self._all_datatypes(view)) or view.flag(SH["uniqueLang"]):
            return "text", (), None
        return "literal", (), None

    def _alternatives(self, view: _Merged) -> list[object]:
        return [
            member
            for predicate in (SH["or"], SH["xone"])
            for head in view.objects(predicate)
            for member in self._shapes.members(head)
        ]

    def _nodes(self, alternatives: Iterable[object]) -> list[object]:
        return [n for a in alternatives for n in self._shapes.objects(a, SH["node"])]

    def _has_fields(self, shape: object) -> bool:
        props = self._property_shapes(shape, set())
        return any(self._shapes.objects(prop, PF["name"]) for prop in props)

    def _all_datatypes(self, view: _Merged) -> list[ox.NamedNode]:
        found = list(view.iris(SH["datatype"]))
        for alternative in self._alternatives(view):
            found += self._shapes.iris(alternative, SH["datatype"])
        if not found:
            members = [m for h in view.objects(SH["in"]) for m in self._shapes.members(h)]
            found += [m.datatype for m in members if isinstance(m, ox.Literal)]
        return list(dict.fromkeys(found))

    def _datatypes(self, view: _Merged) -> tuple[ox.NamedNode, ...]:
        return tuple(d for d in self._all_datatypes(view) if d not in _TEXT_TYPES)

    def _scheme(self, props: Iterable[object]) -> ox.NamedNode | None:
        """The scheme of `sh:node [ sh:property [ sh:path skos:inScheme ; sh:hasValue … ] ]`."""
        for prop in props:
            for shape in self._shapes.objects(prop, SH["node"]):
                for inner in self._shapes.objects(shape, SH["property"]):
                    if self._shapes.objects(inner, SH["path"]) == [SKOS["inScheme"]]:
                        return self._shapes.iri(inner, SH["hasValue"])
        return None

    def _term_texts(self, term: ox.NamedNode, predicate: ox.NamedNode) -> dict[str, str]:
        found: dict[str, str] = {}
        for quad in self._ontology.quads_for_pattern(term, predicate, None, None):
            if isinstance(quad.object, ox.Literal):
                found.setdefault(quad.object.language or "en", quad.object.value)
        return found


class _Merged:
    """Several property shapes on one path seen as one; the last has the last word."""

    def __init__(self, shapes: _Graph, props: Sequence[object]) -> None:
        self._shapes = shapes
        self._props = props

    def objects(self, predicate: ox.NamedNode) -> list[ox.NamedNode | ox.Literal]:
        for prop in reversed(self._props):
            if found := self._shapes.objects(prop, predicate):
                return list(found)
        return []

    def iris(self, predicate: ox.NamedNode) -> list[ox.NamedNode]:
        return [o for o in self.objects(predicate) if isinstance(o, ox.NamedNode)]

    def iri(self, predicate: ox.NamedNode) -> ox.NamedNode | None:
        return next(iter(self.iris(predicate)), None)

    def literal(self, predicate: ox.NamedNode) -> ox.Literal | None:
        return next((o for o in self.objects(predicate) if isinstance(o, ox.Literal)), None)

    def string(self, predicate: ox.NamedNode) -> str | None:
        found = self.literal(predicate)
        return found.value if found is not None else None

    def integer(self, predicate: ox.NamedNode) -> int | None:
        text = self.string(predicate)
        return int(text) if text is not None else None

    def flag(self, predicate: ox.NamedNode) -> bool:
        return any(self._shapes.flag(prop, predicate) for prop in self._props)

    def smallest(self, predicate: ox.NamedNode) -> int | None:
        values = [self._shapes.integer(prop, predicate) for prop in self._props]
        return min((value for value in values if value is not None), default=None)

    def texts(self, predicate: ox.NamedNode) -> dict[str, str]:
        found: dict[str, str] = {}
        for prop in self._props:
            found.update(self._shapes.texts(prop, predicate))
        return found


_VIOLATION = SH["Violation"]


def _number(value: ox.Literal | None) -> float:
    return float(value.value) if value is not None else 0.0


def _name_of(node: object) -> str:
    if isinstance(node, ox.NamedNode):
        return f"<{node.value}>"
    return node if isinstance(node, str) else "an unnamed shape"


def _camel(text: str) -> str:
    words = re.split(r"[^A-Za-z0-9]+", re.split(r"[#/]", text.strip("<>"))[-1])
    return "".join(word[:1].upper() + word[1:] for word in words)
