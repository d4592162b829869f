"""What a token is besides itself: a number, punctuation, a piece of a word in some script."""

from __future__ import annotations

import re
import unicodedata

TOKEN_KINDS: dict[str, str] = {
    "line breaks": "the end of a line",
    "spaces": "nothing but spaces",
    "numbers": "digits alone",
    "punctuation": "signs alone",
    "brackets": "brackets and quotation marks alone",
    "capitals": "a word or piece that begins with a capital",
    "starts of words": "letters after a space",
    "insides of words": "letters that continue a word",
    "parts of characters": "some of the bytes of one character",
    "Cyrillic letters": "Cyrillic",
    "Greek letters": "Greek",
    "Arabic letters": "Arabic",
    "Hebrew letters": "Hebrew",
    "Indic letters": "Devanagari, Bengali, Tamil and their relatives",
    "Thai letters": "Thai",
    "Chinese characters": "Chinese",
    "Japanese letters": "Hiragana and Katakana",
    "Korean letters": "Hangul",
    "accented letters": "Latin letters with an accent",
}
"""Kind → what its tokens are made of. A token may be of several kinds."""
_SCRIPTS = {
    "CYRILLIC": "Cyrillic letters", "GREEK": "Greek letters", "ARABIC": "Arabic letters",
    "HEBREW": "Hebrew letters", "DEVANAGARI": "Indic letters", "BENGALI": "Indic letters",
    "TAMIL": "Indic letters", "TELUGU": "Indic letters", "GUJARATI": "Indic letters",
    "GURMUKHI": "Indic letters", "KANNADA": "Indic letters", "MALAYALAM": "Indic letters",
    "THAI": "Thai letters", "CJK": "Chinese characters", "HIRAGANA": "Japanese letters",
    "KATAKANA": "Japanese letters", "HANGUL": "Korean letters",
}  # fmt: skip
_BYTE = re.compile("⟨0x[0-9A-F]{2}⟩")
_WORD = re.compile(r"[^\W\d_]{3,}")
_BRACKETS = frozenset("()[]{}<>\"'“”‘’«»`")
# Words that say nothing of what labels have in common.
_TABLE = """
the and for with that this from into are was were not its his her their our your has have had but
any all one two after before near when where which who what how than then them they text token
tokens word words feature features fires firing activates often
"""
_STOP_WORDS = frozenset(_TABLE.split())


def token_key(token: str) -> str:
    """Return what tokens that a person calls the same have in common; empty for what is no word.

    Signs, spaces and pieces of characters have kinds in place of a key.
    """
    word = token.strip()
    if _BYTE.search(word) or not any(map(str.isalpha, word)):
        return ""
    return word.casefold()


def kinds_of(token: str) -> list[str]:
    """Return of which kinds a token is."""
    word = token.strip(" \u00a0")
    if _BYTE.search(word):
        return ["parts of characters"]
    if "\n" in word:
        return ["line breaks"]
    if not word.strip():
        return ["spaces"]
    found = []
    if word.isdigit():
        found.append("numbers")
    elif all(unicodedata.category(c)[0] in "PSM" for c in word):
        found.append("punctuation")
        if all(c in _BRACKETS for c in word):
            found.append("brackets")
    elif word[0].isalpha():
        found.append("starts of words" if token[0] == " " else "insides of words")
        if word[0].isupper():
            found.append("capitals")
        script = unicodedata.name(word[0], "").split(" ")[0].split("-")[0]
        if script in _SCRIPTS:
            found.append(_SCRIPTS[script])
        elif script == "LATIN" and not word.isascii():
            found.append("accented letters")
    return found


def label_words(label: str) -> list[str]:
    """Return the words of a label that may say what it has in common with others."""
    found = (word.casefold() for word in _WORD.findall(label))
    return list(dict.fromkeys(word for word in found if word not in _STOP_WORDS))
