"""Names in the form in which they are compared: without case, accents, marks and legal forms.

Two spellings of one name shall come to the same words. So what is written in two ways is folded to
the shorter one on both sides, ü and ue to u; that costs a little distinction and needs no guess
which language a name is in.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_LENGTH = 500
"""Characters of a name that are compared."""

_FORMS = """
ab ag aisbl aps as asbl bv bvba comm corp corporation cv cva cvba doo ebvba eeig ev ewiv gbr ggmbh
gmbh gug haftungsbeschrankt inc incorporated ivzw kda kdah kg kga kgaa limited llc llp ltd mbh nv
nyrt ohg oy oyj plc pvba sarl sas sasu scrl se sgps slu snc spa sprl spzoo srl srls sro sa
stichting uab vof vzw zrt
"""
LEGAL_FORMS = frozenset(_FORMS.split())
"""Words that say as what an organisation is registered, not what it is called.

The only list of this room that is about organisations. Words that are as often part of a name, like
"Verein" and "Company", are not in it.
"""

_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
        "ı": "i", "&": " ", "+": " ", "@": "a", "ĳ": "ij",
    }
)  # fmt: skip
_UMLAUTS = re.compile(r"(?<=[aou])e")
_SHORT_WORD = 4
_SHORT_KEY = 5
_INITIALS = 3
_WORD = re.compile(r"[^\W_]+")
_TAIL = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_SMALL_WORDS = """
a an and au aux d da das de dem den der des di die dla do du e een el en et for fuer fur het i il
im in l la le les of on op s sur te the und v van vom von voor vor y z zu zum zur pour the del
della delle degli dei
"""
_LINKING = frozenset(_SMALL_WORDS.split())
"""Words that join others, in the languages of the region; they say little by themselves."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name as words. `legal` are its legal forms, `aside` the words of brackets at its end.

    `key` is equal for names that differ in nothing but case, accents, marks and spaces.
    """

    text: str
    words: tuple[str, ...]
    legal: frozenset[str]
    aside: tuple[str, ...]
    key: str

    @property
    def short(self) -> bool:
        """Whether it is as short as an acronym, so that one letter makes another name of it."""
        return len(self.key) <= _SHORT_KEY

    @property
    def initials(self) -> tuple[str, ...]:
        """The first letters of three and more words: of all, and of those that say something."""
        telling = [word for word in self.words if not is_linking(word)]
        found = ("".join(word[0] for word in words) for words in (self.words, telling))
        return tuple(dict.fromkeys(letters for letters in found if len(letters) >= _INITIALS))


@lru_cache(maxsize=20_000)
def spelled(text: str) -> Spelling:
    """A name's spelling; at most its first 500 characters count."""
    text = text[:MAX_LENGTH].strip()
    main, aside = text, ""
    if (found := _TAIL.search(text)) and found.start() > 0:
        main, aside = text[: found.start()], found[1]
    everything = split_words(main)
    words = tuple(word for word in everything if word not in LEGAL_FORMS) or everything
    legal = frozenset(everything) - frozenset(words)
    return Spelling(text, words, legal, split_words(aside), "".join(words))


def split_words(text: str) -> tuple[str, ...]:
    """The folded words of a text; letters with dots between them are one word: "B.V." is "bv"."""
    found: list[str] = []
    letters: list[str] = []
    for word in _WORD.findall(fold(text)):
        if len(word) == 1 and word.isalpha():
            letters.append(word)
            continue
        _join(letters, found)
        found.append(_UMLAUTS.sub("", word) if len(word) > _SHORT_WORD else word)
    _join(letters, found)
    return tuple(found)


def _join(letters: list[str], found: list[str]) -> None:
    """End a run of single letters."""
    if letters:
        found.append("".join(letters))
        letters.clear()


def fold(text: str) -> str:
    """Text without case, accents and ligatures."""
    lowered = text.casefold().translate(_LETTERS)
    if not lowered.isascii():
        apart = unicodedata.normalize("NFKD", lowered)
        lowered = "".join(c for c in apart if not unicodedata.combining(c))
        lowered = lowered.casefold().translate(_LETTERS)
    return lowered


def is_linking(word: str) -> bool:
    """Whether a word only joins others: of, van, für."""
    return word in _LINKING


def looks_like_acronym(text: str) -> bool:
    """Whether a name is one word of at most eight letters, two or more of them capitals."""
    bare = text.replace(".", "").replace("-", "")
    return 2 <= len(bare) <= 8 and bare.isalnum() and sum(c.isupper() for c in bare) >= 2  # noqa: PLR2004


_SCHEME = re.compile(r"^(?:https?://(?:www\.|dx\.)?|urn:)", re.IGNORECASE)
_LABELLED = re.compile(r"^(?:[a-z]{2,8})\s*:\s*(?=\S)", re.IGNORECASE)
_NOT_KEY = re.compile(r"[\W_]+")
_SHORTEST = 2


def identifier_keys(text: str) -> tuple[str, ...]:
    """The forms in which an identifier is looked up: whole, and the last part of an address.

    "https://ror.org/05f950310" and "ror:05f950310" and "05f950310" share one, as do
    "BE 0419.052.173" and "BE0419052173".
    """
    text = text[:MAX_LENGTH].strip()
    found = [text]
    bare = _SCHEME.sub("", text)
    if bare != text:
        found += [bare, bare.rstrip("/#").replace("#", "/").rpartition("/")[2]]
    elif _LABELLED.match(text):
        found.append(_LABELLED.sub("", text))
    keys = (_NOT_KEY.sub("", one.casefold()) for one in found)
    return tuple(dict.fromkeys(key for key in keys if len(key) >= _SHORTEST))
