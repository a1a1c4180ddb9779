"""Natural persons among the participants of a funding database: recognised, never stored.

Sources list people who take part in their own name beside organisations, as SURNAME FIRSTNAME
and without a legal form. A name is taken for a person's when it has two to four words of letters
only, none of which belongs to the language of organisations, and
- the short name holds the same words in another order, or
- one of the words is a given name, or
- it begins with a person's title.
Organisations named after a person carry a word for what they are (Foundation, Hospital, Ltd), so
they stay. In doubt the row is dropped: a missing company can be added, a published person not
taken back.
"""

from __future__ import annotations

import re
import unicodedata

_MIN_WORDS, _MAX_WORDS = 2, 4

_TITLE = re.compile(r"(?:dr|prof|ing|mr|mrs|ms|herr|frau|mevr|dhr|mme)\.?\s", re.IGNORECASE)

# Beginnings of words that only organisations have in their names, and whole legal forms.
_ORGANISATION = re.compile(
    r"\b(?:a[bgs]|and|aps|asa|asbl|aisbl|b\.?v|bvba|care|city|cvba|coop|corp|d\.?o\.?o|der|des|"
    r"e\.?v|eeig|en|et|eurl|for|fur|für|gbr|gmbh|inc|kft|k\.?g|lda|limited|llc|llp|ltd|mbh|n\.?v|of|"
    r"ohg|oy|oyj|plc|s\.?a|san|se|sarl|sas|s\.?l|s\.?p\.?a|sprl|srl|sro|st|sw|und|vof|voor|vzw|zrt)\b"
    r"|\b(?:acad|agen|akadem|allian|analyt|asoc|assoc|ayunt|bank|biol|biom|biot|busin|center|centr|"
    r"chem|clin|clu[bs]|colleg|commun|compan|comun|consult|council|data|depart|design|diagn|digit|"
    r"dimos|energ|engin|enterp|europ|facul|federa|fond|forsch|found|fund|gemeente|genom|gesell|"
    r"group|grupp|health|hochsch|hopit|hosp|industr|inform|ingeni|innov|instit|instyt|internat|"
    r"istit|klini|kommun|labor|manag|maschin|media|medi[ck]|minist|munic|museum|nation|network|"
    r"offic|onder|ospedal|partner|pharm|polit|project|region|research|robot|scien|semicon|serv|"
    r"societ|softw|solution|stadt|stichting|stiftu|system|techn|therap|trust|univ|verein|ziekenhuis)",
    re.IGNORECASE,
)

# Given names common in Europe, folded to ASCII.
_NAMES = """
adam adrian agata agnes agnieszka aisha alain alan alba albert alberto alena alessandra
alessandro alessia alex alexander alexandra alexandre alexandros alfonso alfred alice alicia
alina amelie ana anastasia anders andre andrea andreas andrei andres andrew andrzej angela
angelo anita anja anke ann anna annalisa anne annette annika antje anton antonella antonia
antonio antonis aoife arja armin arne arnaud arthur astrid athanasios attila aurelie axel
balazs barbara bart bas beata beate beatrice beatriz benjamin bent bernard bernd bernhard bert
bertrand birgit bjorn bogdan boris brian brigitte bruno camilla carina carl carla carlo carlos
carmen carolina caroline caterina catherine cecile cecilia celine charles charlotte chiara
chris christel christian christiane christina christine christoph christophe christopher
christos claire clara claudia claudio claus colin corinne cornelia cristian cristina dagmar
damien daniel daniela daniele danielle david debora deborah denis diana didier diego dieter
dimitri dimitrios dirk dominik dominique donatella dorothea dusan edith eduardo edward eirini
ekaterina elena eleni elias elina elisa elisabeth elizabeth elke ellen els emanuele emil emilia
emilie emma emmanuel enrico erica erik erika erwin esther eszter etienne eugenia eva
evangelos evelien evelyn fabian fabio fabrice federica federico felix ferenc fernando filip
filippo florence florian francesca francesco francis francisca francisco franck
francois francoise frank franz frederic frederik friedrich gabor gabriel gabriela gabriele
gabriella geert georg george georges georgios gerard gerd gerhard gert giacomo gianluca
gilles giorgio giovanna giovanni giulia giuseppe gloria gonzalo graham grazyna greta guido
guillaume gunnar gunter gustav guy gyorgy halina hanna hannah hanne hannes hans harald harri
heidi heike heinrich heinz helen helena helene helga helge helmut hendrik henri henrik henry
herbert hermann hilde horst hubert hugo ian igor ilaria ilona ilse ines inga inge ingo ingrid
ioana ioannis ion irena irene irina iris isabel isabella isabelle istvan iva ivan ivana ivo
jaap jacek jack jacob jacqueline jacques jakob jakub james jan jana jane janez janine janos
jaroslav jasmin javier jean jeanne jelena jens jeremy jeroen jerome jessica jesus jiri joachim
joana joanna joao johan johann johanna johannes john jon jonas jonathan joost jordi jorg jorge
jose josef joseph joris jozef juan juha julia julian julie julien jurgen justyna kai karel
karen karin karina karl karsten katarina katarzyna kate katerina katharina kathleen katja
katrin kees kenneth kerstin kevin kirsi kirsten klaus konstantin konstantinos koen kristian
kristiina kristina kristof krzysztof kurt lars laszlo laura laurence laurent lea leila lena
leo leon leonardo lidia liisa lina linda lise lisa ljubica lorenzo louis louise luc luca lucas
lucia lucie lucio ludwig luigi luis luisa lukas lydia maarten maciej madeleine magda magdalena
magnus maija malgorzata manfred manuel manuela marc marcel marcello marco marcus marek margaret
margarita margit maria mariana marianne marie marija marijke marika marina mario marion marja
mark marketa marko markus marta martha martin martina martine massimo mateusz mathias mathieu
matteo matthew matthias matti mattias maud maurizio max maxime melanie merja mia michael
michaela michal michel michela michele michelle miguel mika mike mikael mikko milan milena
minna mirko miroslav mogens mona monica monika monique morten nadia nadine natalia natalie
nathalie nicholas nick nicola nicolas nicole niels niklas nikola nikolaos nikos nils nina noel
norbert nuno oksana ola olaf ole oleg olga oliver olivia olivier oscar oskar otto outi pablo
panagiotis paola paolo pascal patricia patrick patrik patrizia paul paula pauline paulo pavel
pawel pedro peer pekka per peter petr petra petri philip philipp philippe pia pierre pieter
pietro pilar piotr pirjo pirkko rachel radek rafael raffaele ragnar raimund rainer ralf raquel
raul rebecca regina reinhard remi renata renate rene riccardo richard riitta rita robert
roberta roberto robin roger roland rolf roman ronald rosa rosario rudolf rui ruth ryan sabina
sabine sabrina sami samuel sandra sanna sara sarah sascha saskia sebastian sergei sergio silke
silvia simon simona simone sirkku sissel sofia sofie sonia sonja sophia sophie stan stanislav
stefan stefania stefano steffen stelios stephan stephane stephanie stephen steve steven
susan susana susanna susanne svein sven svetlana sylvain sylvia sylvie tamara tanja tatiana
teresa terese thea theo theodor theodoros theresa thierry thomas tiina tim timo tina tobias
tom tomas tomasz tommaso toni tor tove ulf ulla ulrich ulrike urs ursula uta ute uwe valentin
valentina valeria valerie vasileios vera veronica veronika veronique vesna victor victoria
viktor vincent vincenzo virginia virginie viviane vladimir walter waltraud wendy werner wilhelm
willem william wim wojciech wolfgang xavier yann yannick yves yvonne zbigniew zdenek zoltan
zsuzsanna zuzana
"""
_GIVEN_NAMES = frozenset(_NAMES.split())


def is_natural_person(name: str, short_name: str = "") -> bool:
    """Whether a participant's name looks like that of a human being."""
    words = _words(name)
    if not _MIN_WORDS <= len(words) <= _MAX_WORDS or not all(word.isalpha() for word in words):
        return False
    if _ORGANISATION.search(" ".join(words)):
        return False
    if _TITLE.match(name):
        return True
    if sorted(words) == sorted(_words(short_name)) and words != _words(short_name):
        return True
    return not _GIVEN_NAMES.isdisjoint(words)


def _words(name: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    return [word for word in re.split(r"[\s,.]+", plain) if word]
