"""How to mend a result, in a sentence for each kind of constraint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyoxigraph import Literal, NamedNode

from app.rdf.terms import PREFIXES, SH, Term
from app.sandbox.findings import Rule

_MAX_CHOICES = 8
_Texts = Mapping[str, str]

_SENTENCES: Final[Mapping[str, _Texts]] = {
    "MinCount": {
        "en": "Add what is missing: at least {what}.",
        "nl": "Vul aan wat ontbreekt: ten minste {what}.",
        "de": "Ergänzen Sie, was fehlt: mindestens {what}.",
        "fr": "Ajoutez ce qui manque : au moins {what}.",
    },
    "MaxCount": {
        "en": "Keep at most {what} and remove the others.",
        "nl": "Behoud er hoogstens {what} en verwijder de andere.",
        "de": "Behalten Sie höchstens {what} und entfernen Sie die übrigen.",
        "fr": "Gardez-en {what} au plus et retirez les autres.",
    },
    "Datatype": {
        "en": "Write a value of the datatype {what}.",
        "nl": "Schrijf een waarde van het datatype {what}.",
        "de": "Schreiben Sie einen Wert des Datentyps {what}.",
        "fr": "Écrivez une valeur du type {what}.",
    },
    "Class": {
        "en": "Refer to something that is a {what}.",
        "nl": "Verwijs naar iets dat een {what} is.",
        "de": "Verweisen Sie auf etwas, das ein {what} ist.",
        "fr": "Renvoyez à quelque chose qui est un {what}.",
    },
    "IRI": {
        "en": "Write the address (IRI) of a thing, in Turtle <https://…>, not a text.",
        "nl": "Schrijf het adres (IRI) van een ding, in Turtle <https://…>, geen tekst.",
        "de": "Schreiben Sie die Adresse (IRI) einer Sache, in Turtle <https://…>, keinen Text.",
        "fr": "Écrivez l'adresse (IRI) d'une chose, en Turtle <https://…>, pas un texte.",
    },
    "Literal": {
        "en": "Write a text or number in quotation marks, not an address.",
        "nl": "Schrijf een tekst of getal tussen aanhalingstekens, geen adres.",
        "de": "Schreiben Sie einen Text oder eine Zahl in Anführungszeichen, keine Adresse.",
        "fr": "Écrivez un texte ou un nombre entre guillemets, pas une adresse.",
    },
    "In": {
        "en": "Choose one of: {what}.",
        "nl": "Kies een van: {what}.",
        "de": "Wählen Sie eines von: {what}.",
        "fr": "Choisissez parmi : {what}.",
    },
    "Pattern": {
        "en": "Write it in the form {what}.",
        "nl": "Schrijf het in de vorm {what}.",
        "de": "Schreiben Sie es in der Form {what}.",
        "fr": "Écrivez-le sous la forme {what}.",
    },
    "MinLength": {
        "en": "Write at least {what} characters.",
        "nl": "Schrijf ten minste {what} tekens.",
        "de": "Schreiben Sie mindestens {what} Zeichen.",
        "fr": "Écrivez au moins {what} caractères.",
    },
    "MaxLength": {
        "en": "Write at most {what} characters.",
        "nl": "Schrijf hoogstens {what} tekens.",
        "de": "Schreiben Sie höchstens {what} Zeichen.",
        "fr": "Écrivez {what} caractères au plus.",
    },
    "MinInclusive": {
        "en": "Write {what} or more.",
        "nl": "Schrijf {what} of meer.",
        "de": "Schreiben Sie {what} oder mehr.",
        "fr": "Écrivez {what} ou plus.",
    },
    "MaxInclusive": {
        "en": "Write {what} or less.",
        "nl": "Schrijf {what} of minder.",
        "de": "Schreiben Sie {what} oder weniger.",
        "fr": "Écrivez {what} ou moins.",
    },
    "MinExclusive": {
        "en": "Write more than {what}.",
        "nl": "Schrijf meer dan {what}.",
        "de": "Schreiben Sie mehr als {what}.",
        "fr": "Écrivez plus que {what}.",
    },
    "MaxExclusive": {
        "en": "Write less than {what}.",
        "nl": "Schrijf minder dan {what}.",
        "de": "Schreiben Sie weniger als {what}.",
        "fr": "Écrivez moins que {what}.",
    },
    "UniqueLang": {
        "en": "Keep one text for each language.",
        "nl": "Behoud één tekst per taal.",
        "de": "Behalten Sie einen Text je Sprache.",
        "fr": "Gardez un seul texte par langue.",
    },
    "LessThanOrEquals": {
        "en": "Write a value that is not after that of {what}.",
        "nl": "Schrijf een waarde die niet na die van {what} komt.",
        "de": "Schreiben Sie einen Wert, der nicht nach dem von {what} liegt.",
        "fr": "Écrivez une valeur qui ne vient pas après celle de {what}.",
    },
    "LessThan": {
        "en": "Write a value that is before that of {what}.",
        "nl": "Schrijf een waarde die voor die van {what} komt.",
        "de": "Schreiben Sie einen Wert, der vor dem von {what} liegt.",
        "fr": "Écrivez une valeur qui vient avant celle de {what}.",
    },
    "HasValue": {
        "en": "Add the value {what}.",
        "nl": "Voeg de waarde {what} toe.",
        "de": "Fügen Sie den Wert {what} hinzu.",
        "fr": "Ajoutez la valeur {what}.",
    },
    "Closed": {
        "en": "Remove the statement, or use a property that the shape knows.",
        "nl": "Verwijder de uitspraak, of gebruik een eigenschap die de shape kent.",
        "de": "Entfernen Sie die Aussage, oder nehmen Sie eine Eigenschaft, die der Shape kennt.",
        "fr": "Retirez l'énoncé, ou utilisez une propriété que la forme connaît.",
    },
}
_EXAMPLE: Final[_Texts] = {
    "en": "For example: {example}.",
    "nl": "Bijvoorbeeld: {example}.",
    "de": "Zum Beispiel: {example}.",
    "fr": "Par exemple : {example}.",
}


def fix(rule: Rule, example: Term | None) -> dict[str, str]:
    """What to do, by language; empty where the message of the shape must suffice."""
    component = rule.component
    if component == "NodeKind" and isinstance(rule.parameter, NamedNode):
        component = "Literal" if rule.parameter == SH["Literal"] else "IRI"
    what = ", ".join(map(shown, rule.choices[:_MAX_CHOICES]))
    if len(rule.choices) > _MAX_CHOICES:
        what += ", …"
    if rule.parameter is not None:
        what = shown(rule.parameter)
    sentences = _SENTENCES.get(component, {})
    if not what and any("{what}" in text for text in sentences.values()):
        sentences = {}
    found = {language: [text.format(what=what)] for language, text in sentences.items()}
    if example is not None:
        for language, text in _EXAMPLE.items():
            found.setdefault(language, []).append(text.format(example=shown(example)))
    return {language: " ".join(texts) for language, texts in found.items()}


def shown(term: Term) -> str:
    """A term for people: numbers and texts plain, IRIs with a known prefix or in angle brackets."""
    if isinstance(term, Literal):
        return term.value if not term.language else f'"{term.value}"@{term.language}'
    if isinstance(term, NamedNode):
        for prefix, space in PREFIXES.items():
            local = term.value.removeprefix(space)
            if local != term.value and local.isidentifier():
                return f"{prefix}:{local}"
        return f"<{term.value}>"
    return str(term)
