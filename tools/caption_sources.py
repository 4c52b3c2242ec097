# SPDX-License-Identifier: MIT
"""Pictures with captions that people wrote, out of Debian packages: stamps of Tux Paint, clip art, emoji.

Each source is a function (pin's .deb, Left, draw) -> [(name, caption, picture or bytes of an SVG)]; what it leaves out it counts in
Left, by reason.
"""

import collections
import io
import re
import unicodedata
import xml.etree.ElementTree as ElementTree

import debian_packages
from toolkit import ToolError

STAMPS = "/usr/share/tuxpaint/stamps/"
CLIP_ART = "/usr/share/openclipart/svg/"
FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
COLLECTION = 5  # files of one title: a collection's name
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


class Left(collections.Counter):
    """How many were left out, by reason."""


def stamps(deb, left):
    """One per name: .png, or else .svg, with the first line of the .txt beside it; mirrored twins are left out."""
    data, links = debian_packages.files(deb, lambda name: name.startswith(STAMPS) and name.endswith((".png", ".svg", ".txt")))
    left["a link to another file"] += links
    stems = sorted({name[:-4] for name in data if not name.endswith(".txt")})
    for stem in stems:
        text = data.get(stem + ".txt", b"").decode("utf-8", "replace").splitlines()
        sentence = " ".join(text[0].split()) if text else ""
        if stem.endswith("_mirror"):
            left["the mirror of another"] += 1
        elif not has_word(sentence):
            left["no sentence"] += 1
        else:
            yield stem[len(STAMPS):], sentence, data.get(stem + ".png") or data[stem + ".svg"]


def clip_art(deb, left):
    """Drawings with their dc:title, unless that is the name of a collection."""
    data, links = debian_packages.files(deb, lambda name: name.startswith(CLIP_ART) and name.endswith(".svg"))
    left["a link to another file"] += links
    titles = {}
    for name, svg in sorted(data.items()):
        title = title_of(svg)
        if title is None:
            left["not XML, or no title"] += 1
        elif re.search(rb"<image\b[^>]*href\s*=\s*[\"'](?!data:|#)", svg):
            left["shows a picture of another file"] += 1
        else:
            titles[name] = title
    counts = collections.Counter(title.casefold() for title in titles.values())
    for name, title in titles.items():
        caption = clean_title(title)
        if counts[title.casefold()] >= COLLECTION:
            left["the title of a collection"] += 1
        elif not has_word(caption):
            left["a title without a word"] += 1
        else:
            yield name[len(CLIP_ART):-4], caption, data[name]


def title_of(svg):
    """The title in the RDF metadata, of the work and not of its authors; None: there is none."""
    for text in (svg, svg.decode("latin-1").encode("utf-8")):
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError, LookupError):
            continue
        for work in root.iter():
            if isinstance(work.tag, str) and work.tag.endswith("}Work"):
                title = work.find(DUBLIN_CORE + "title")
                found = " ".join("".join(title.itertext()).split()) if title is not None else ""
                return found or None
        return None
    return None


def clean_title(title):
    title = re.sub(r"^clip ?art by .*? - ", "", title.replace("_", " "), flags=re.IGNORECASE)
    return " ".join(re.sub(r"[\s\-#.]*\d+$", "", title).split())


def emoji(deb, left):
    """The font's pictures of single characters, with the characters' Unicode names."""
    from fontTools.ttLib import TTFont, TTLibError

    data, _ = debian_packages.files(deb, lambda name: name == FONT)
    if FONT not in data:
        raise ToolError(f"{deb}: has no {FONT}")
    try:
        font = TTFont(io.BytesIO(data[FONT]), lazy=True)
        pictures = {name: glyph.imageData for strike in font["CBDT"].strikeData for name, glyph in strike.items()}
        characters = font.getBestCmap()
    except (TTLibError, KeyError, AssertionError, AttributeError) as error:
        raise ToolError(f"{deb}: its font has no pictures that are read here ({error})") from None
    left["a sequence of characters, or a part of one"] += len(pictures.keys() - set(characters.values()))
    for code, glyph in sorted(characters.items()):
        name = unicodedata.name(chr(code), "").lower()
        if glyph not in pictures:
            continue
        if not name:
            left["a character without a name in this Python"] += 1
        else:
            yield f"u{code:05x}", name, pictures[glyph]


def has_word(text):
    return re.search(r"[^\W\d_]{2}", text) is not None


SOURCES = {"stamps": stamps, "clip-art": clip_art, "emoji": emoji}
