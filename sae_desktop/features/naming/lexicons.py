"""Closed classes of words in the languages that texts are most often in, and of programs.

A class is what a person calls these words; each is a table of words in lower case. A word that
is in several classes is of the first.
"""

from __future__ import annotations

from functools import cache

_TABLES: dict[str, str] = {
    "months": """
january february march april may june july august september october november december
januar februar märz juni juli oktober dezember janvier février mars avril mai juin juillet août
septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre
octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
""",
    "days of the week": """
monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag
freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles
jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì sabato domenica
""",
    "number words": """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
million billion first second third fourth fifth sixth seventh eighth ninth tenth zwei drei vier
fünf sechs sieben acht neun zehn deux trois quatre cinq sept huit neuf dix dos tres cuatro cinco
seis siete ocho nueve diez due tre quattro cinque sei sette otto nove dieci
""",
    "negations": """
not no never nor neither none nothing nobody cannot nicht kein keine keinen ne pas jamais aucun
nunca ningún ninguna ninguno nadie non mai nessuno nessuna não nenhum nenhuma не нет ni nie
""",
    "question words": """
who whom whose what where when why how which wer wem wen warum wann wie qui quand où pourquoi
comment quién quiénes cuándo dónde cómo qué quien quienes donde como perché quando dove come
""",
    "personal pronouns": """
i me you he him she her it we us they them thou thee ye myself himself herself itself ourselves
themselves yourself ich mich mir du dich dir er ihn ihm sie wir uns ihr ihnen je moi tu toi il elle
nous vous ils elles yo tú él ella nosotros ustedes ellos ellas io lui lei noi voi loro eu ele ela
nós eles elas я ты он она мы вы они jag han hon vi ni jeg
""",
    "possessives": """
my your his its our their thy thine mine yours hers ours theirs mein meine dein seine seiner seinen
ihre ihrer ihren unser unsere mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs mi
mis tu tus su sus nuestro nuestra nuestros vuestro mio mia suo sua suoi nostro nostra vostro meu
minha seu nosso nossa
""",
    "demonstratives": """
this that these those diese dieser dieses diesem diesen jene ce cet cette ces este esta esto estos
estas ese esa esos esas aquel aquella questo questa questi queste quello quella esse essa isso
""",
    "articles": """
the a an der die das den dem des ein eine einen einem einer eines le la les un une el los las una
unos unas lo gli uno o os as um uma
""",
    "forms of “to be”": """
be is are was were been being am art wast ist sind war waren bin bist sein gewesen est sont était
étaient être été suis es son era eran ser sido soy está están fue sono erano essere stato é são foi
""",
    "forms of “to have”": """
have has had having hath hast haben hat hatte hatten habe ont avait avoir eu ai ha han había haber
hanno aveva avere tem têm tinha
""",
    "modal verbs": """
can could may might must shall should will would shalt wilt kann können könnte muss müssen soll
sollen will wollen darf dürfen wird werden würde peut peuvent doit doivent pouvait puede pueden debe
deben podría può possono deve devono pode podem
""",
    "conjunctions": """
and or but if because although though while whereas unless until since und oder aber wenn weil
obwohl während dass sondern et ou mais si parce lorsque puisque y pero aunque porque mientras sino
e ma anche perche poiché mas и или но а eller og och men och
""",
    "prepositions": """
of in to for on with at by from into onto upon about after before between through during without
within against among toward towards under over above below beneath beside behind across along around
near off via per unto amongst von zu mit bei aus nach für auf über unter vor zwischen durch gegen
ohne um im am zum zur vom beim de du des à au aux en dans sur sous avec sans pour par chez entre
vers con sin por para desde hasta sobre del al di da dal dalla della dei degli delle nel nella sul
sulla per tra fra em no na nos nas do dos das в на с из для по от за у до
""",
    "quantity words": """
all any some every each both many much most few several more less enough other another such alle
viele einige jeder jede jedes mehr tout tous toute toutes chaque plusieurs plus todo todos toda
todas cada muchos muchas más tutto tutti tutte ogni molti più
""",
    "adverbs of degree and time": """
very so too also then now again still already yet just only even often always here there thus
therefore however sehr auch noch schon nur immer hier da dann jetzt très aussi encore déjà
toujours ici là alors maintenant muy también ya siempre aquí entonces ahora molto anche già sempre
""",
    "Python keywords": """
def class return import elif else except raise lambda yield async await pass global nonlocal
assert finally try isinstance none true false self cls
""",
}


@cache
def word_classes() -> dict[str, str]:
    """Return word → class."""
    found: dict[str, str] = {}
    for name, table in _TABLES.items():
        for word in table.split():
            found.setdefault(word, name)
    return found


SIGNS: tuple[tuple[str, str], ...] = (
    ("opening brackets", "([{<"),
    ("closing brackets", ")]}>"),
    ("quotation marks", "\"'“”‘’«»„`"),
    ("full stops and other ends of sentences", ".!?…。！？"),
    ("commas, colons and semicolons", ",;:，、；："),
    ("dashes and hyphens", "-–—"),
    ("slashes and bars", "/\\|"),
    ("signs of calculation", "=+*%^~&@#$"),
    ("underscores", "_"),
)
"""Classes of signs, and the characters in each."""


def sign_class(text: str) -> str:
    """Return the class of a token of signs alone; empty where its signs are of several."""
    for name, characters in SIGNS:
        if text and all(character in characters for character in text):
            return name
    return ""
