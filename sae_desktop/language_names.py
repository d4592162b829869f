"""Languages in words, by the codes of ISO 639-1 that corpora name them with. Free of Qt."""

from __future__ import annotations

import functools

_TABLE = """
aa Afar; ab Abkhazian; ae Avestan; af Afrikaans; ak Akan; am Amharic; an Aragonese; ar Arabic;
as Assamese; av Avaric; ay Aymara; az Azerbaijani; ba Bashkir; be Belarusian; bg Bulgarian;
bi Bislama; bm Bambara; bn Bangla; bo Tibetan; br Breton; bs Bosnian; ca Catalan; ce Chechen;
ch Chamorro; co Corsican; cr Cree; cs Czech; cu Church Slavic; cv Chuvash; cy Welsh; da Danish;
de German; dv Divehi; dz Dzongkha; ee Ewe; el Greek; en English; eo Esperanto; es Spanish;
et Estonian; eu Basque; fa Persian; ff Fula; fi Finnish; fj Fijian; fo Faroese; fr French;
fy Western Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gu Gujarati;
gv Manx; ha Hausa; he Hebrew; hi Hindi; ho Hiri Motu; hr Croatian; ht Haitian Creole;
hu Hungarian; hy Armenian; hz Herero; ia Interlingua; id Indonesian; ie Interlingue; ig Igbo;
ii Sichuan Yi; ik Inupiaq; io Ido; is Icelandic; it Italian; iu Inuktitut; ja Japanese;
jv Javanese; ka Georgian; kg Kongo; ki Kikuyu; kj Kuanyama; kk Kazakh; kl Kalaallisut;
km Khmer; kn Kannada; ko Korean; kr Kanuri; ks Kashmiri; ku Kurdish; kv Komi; kw Cornish;
ky Kyrgyz; la Latin; lb Luxembourgish; lg Ganda; li Limburgish; ln Lingala; lo Lao;
lt Lithuanian; lu Luba-Katanga; lv Latvian; mg Malagasy; mh Marshallese; mi Māori;
mk Macedonian; ml Malayalam; mn Mongolian; mr Marathi; ms Malay; mt Maltese; my Burmese;
na Nauru; nb Norwegian Bokmål; nd North Ndebele; ne Nepali; ng Ndonga; nl Dutch;
nn Norwegian Nynorsk; nr South Ndebele; nv Navajo; ny Nyanja; oc Occitan; oj Ojibwa; om Oromo;
or Odia; os Ossetic; pa Punjabi; pi Pali; pl Polish; ps Pashto; pt Portuguese; qu Quechua;
rm Romansh; rn Rundi; ro Romanian; ru Russian; rw Kinyarwanda; sa Sanskrit; sc Sardinian;
sd Sindhi; se Northern Sami; sg Sango; si Sinhala; sk Slovak; sl Slovenian; sm Samoan;
sn Shona; so Somali; sq Albanian; sr Serbian; ss Swati; st Southern Sotho; su Sundanese;
sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th Thai; ti Tigrinya; tk Turkmen;
tn Tswana; to Tongan; tr Turkish; ts Tsonga; tt Tatar; ty Tahitian; ug Uyghur; uk Ukrainian;
ur Urdu; uz Uzbek; ve Venda; vi Vietnamese; vo Volapük; wa Walloon; wo Wolof; xh Xhosa;
yi Yiddish; yo Yoruba; za Zhuang; zh Chinese; zu Zulu;
"""
_NAMES = dict(entry.split(maxsplit=1) for entry in _TABLE.split(";") if entry.strip())

_OF_PROGRAMS = {"python": "Python", "java": "Java", "javascript": "JavaScript", "rust": "Rust"}
_PROGRAMS_ONLY_SHOWN = {"c": "C", "go": "Go", "php": "PHP"}
"""Words of other meanings, by which nothing is looked for."""


def language_name(code: str) -> str:
    """Return a language in English, such as “Czech” or “Portuguese (BR)”; another name as it is.

    Programs are in languages, too, such as “Python”.
    """
    base, _, region = code.replace("_", "-").partition("-")
    name = _NAMES.get(base.lower()) if len(base) == 2 else None
    if name is None:
        programs = _OF_PROGRAMS | _PROGRAMS_ONLY_SHOWN
        return programs.get(code.lower(), code)
    return f"{name} ({region})" if region else name


def is_language(code: str) -> bool:
    """Return whether something is the code of a language, with a region or without: “pt-BR”."""
    return code.replace("_", "-").partition("-")[0] in _NAMES


@functools.cache
def language_codes() -> dict[str, str]:
    """Return the code of each language by the first word of its name, in lower case."""
    # Of two of a name the first: Norwegian Bokmål comes before Norwegian Nynorsk.
    named = {name.split()[0].casefold(): code for code, name in reversed(_NAMES.items())}
    return named | {name.casefold(): code for code, name in _OF_PROGRAMS.items()}
