#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes clip_tokens.json: what the tokenizer of clip-anytorch 2.6.0 makes of texts, with ftfy replaced by the identity.

    python3 -m venv /tmp/clip-venv && /tmp/clip-venv/bin/pip install regex==2026.11.19
    /tmp/clip-venv/bin/pip download --no-deps --dest /tmp clip-anytorch==2.6.0
    /tmp/clip-venv/bin/python tests/golden/make_clip_tokens.py /tmp/clip_anytorch-2.6.0-py3-none-any.whl
"""

import hashlib
import importlib.util
import json
import platform
import random
import sys
import tempfile
import types
import unicodedata
import zipfile
from pathlib import Path

import regex

SHA256 = "ebc0afed243851b9dc7e16ab8afb665237e8a5838986e97cd99f123ae4ce94ce"
OUTPUT = Path(__file__).with_name("clip_tokens.json")

TEXTS = """
a diagram
a dog
a cat
a photo of a sweet pepper.
a photo of a fox
Hello, World! It's 2024
dadasdfsaf
A PHOTO OF A DOG
don't can't I'm you're they'll he'd we've it's rock'n'roll 'tis ''s O'Reilly
don’t can’t “quoted” ‘single’ — dash – en… ellipsis
semi-colon; colon: (brackets) [square] {curly} <angle> /slash\\back |bar| ~tilde `tick` ^hat_under #hash @at $5.00 50% 3*4=12 a+b&c
1234567890 3.14159 1,000,000 2nd 3rd 20th 1st ½ ² ٣٤ ४५ Ⅻ ⑦ 一二三
naïve café façade Ångström über jalapeño Æsop œuvre straße ĳsselmeer ŉ ǅ ﬁ ﬂ ﬀ
İstanbul ISTANBUL ıspanak İ I i ı
ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ Σ ΑΣ ΑΣΑ ΑΣ. ΑΣ'Σ Σ́ ᾼ ᾳ α\u0345 \u0345 !\u0345! 1\u03452
'ſ 'S <|ſtartoftext|> 'ſt it'ſ ſ
K Å Ω kelvin and angstrom signs
красная машина КРАСНАЯ ёлка Ѐ ҐЄЇ
赤い車 日本語のテキスト 東京タワー カタカナ ﾊﾝｶｸ 中文字符 한국어 문장 𠀀𠀁
صورة قطة שלום עולם हिन्दी ภาษาไทย தமிழ் ქართული Ქ ᲀ
👍 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ❤️ ☃ ©®™ 1️⃣ 🙂🙃
e\u0301 é a\u0308\u0304 Z\u0351a\u0489l\u0334go \u200b\u200d\ufeff\u00ad zero widths
&amp; &lt;b&gt; &quot;q&quot; &#39;s &#x27;t &nbsp;x &copy; &eacute; &Eacute; &hearts; &notit; &not &notin; &ampamp; &amp;amp; &amp;amp;amp;
&#128512; &#x1F600; &#0; &#128; &#x80; &#153; &#13; &#11; &#127; &#xFFFF; &#xD800; &#x110000; &#99999999999999999999; &#; &#x; &x; & &; &&amp; &amp
&CounterClockwiseContourIntegral; &NotEqualTilde; &fjlig; &zwnj; &Tab;x&NewLine;y &amp;lt;|endoftext|&amp;gt; AT&T R&D x&y &frac12 &frac12x &thetasymx;
<|startoftext|> <|endoftext|> a<|endoftext|>b <|ENDOFTEXT|> <|endoftext> <endoftext|> !<|endoftext|>! <|startoftext|><|endoftext|>
\ta\x0b\x0cb\u00a0c\u1680d\u2003e\u2028f\u3000g\x85h\x1ci\x1dj\x1e\x1f
\x1c\x1d a \x1e\x1f
\x00 \x01\x02 \x07bell \x1b[31m \x7f \x80\x9f
supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ababababababababababab !!!!!!!!!!!!!!! ........ ------- hahahahaha
https://example.org/path?query=1&amp;x=2#part user@example.org C:\\folder\\file.txt IMG_2034.JPG #throwback @nasa
the quick brown fox jumps over the lazy dog THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG
a centered satellite photo of permanent crop land. itap of the large snake. a bad photo of a ball-point pen (blue).
"""


def reference(wheel):
    """The tokenizer, out of the pinned wheel."""
    data = Path(wheel).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit(f"{wheel} is not the pinned wheel")
    identity = types.ModuleType("ftfy")
    identity.fix_text = lambda text: text
    sys.modules["ftfy"] = identity
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in ("clip/simple_tokenizer.py", "clip/bpe_simple_vocab_16e6.txt.gz"):
            archive.extract(name, folder)
        spec = importlib.util.spec_from_file_location("simple_tokenizer", Path(folder) / "clip" / "simple_tokenizer.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.SimpleTokenizer()


def random_texts(count):
    """Of characters that Unicode 14 has: what came later depends on the version of whoever reads it."""
    rng = random.Random(20)
    assigned = [chr(c) for c in range(0x30000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    pools = [assigned, assigned[:94], [c for c in assigned if "\u0370" <= c < "\u0530"], list("ΣσςΑα.,'\u0345\u0301"), list("İIıſ'sStTrRvV"),
             list("0123456789½"), list(" \t\n\x1c\x85\xa0\u3000\u200b"), ["&amp;", "&#39;", "&quot", "&", "#", ";", "x", "&not"],
             ["<|endoftext|>", "<|startoftext|>", "'s", "'re", "'", "a", "<|", "|>"]]
    for _ in range(count):
        chosen = rng.choices(pools, k=rng.choice((1, 1, 2, 3)))
        yield "".join(rng.choice(rng.choice(chosen)) for _ in range(rng.choice((1, 3, 8, 20, 40))))


def main():
    tokenizer = reference(sys.argv[1])
    texts = [line for line in TEXTS.split("\n") if line] + ["", " ", "\n", "a\nb", "  a  ", *random_texts(200)]
    entries = {name[:-len("</w>")]: number for name, number in tokenizer.encoder.items() if name.endswith("</w>")}
    ids = {name: tokenizer.encode(name) for name in entries}
    golden = {
        "reference": f"clip-anytorch 2.6.0 without ftfy, regex {regex.__version__}, Python {platform.python_version()}, "
                     f"Unicode {unicodedata.unidata_version}",
        "texts": [{"text": text, "ids": tokenizer.encode(text)} for text in texts],
        "words": len(entries),
        "words_of_other_ids": {str(entries[name]): found for name, found in ids.items() if found != [entries[name]]},
    }
    parts = [f'"{key}": {json.dumps(value)}' if key != "texts" else
             '"texts": [\n' + ",\n".join(json.dumps(item) for item in value) + "\n]" for key, value in golden.items()]
    OUTPUT.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="ascii")
    print(f"{OUTPUT}: {len(texts)} texts, {len(entries)} words, of which {len(golden['words_of_other_ids'])} have other ids than their own")


if __name__ == "__main__":
    main()
