# SPDX-License-Identifier: MIT
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from doc_code import DocError, blocks, extract  # noqa: E402

PAGE = """# A page
```
plain
```
```cpp
int a;
```
```cpp kernels/b/b.h
int b;  // ```

```
```sh
echo '```cpp'
```
"""


class Blocks(unittest.TestCase):
    def test_names_and_code(self):
        self.assertEqual(list(blocks("docs/page.md", PAGE)), [("page_1.cpp", "int a;\n"), ("kernels/b/b.h", "int b;  // ```\n\n")])

    def test_a_block_without_end(self):
        with self.assertRaisesRegex(DocError, "page.md:2: the block that begins here has no end"):
            list(blocks("page.md", "text\n```cpp\nint a;\n"))


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def page(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def test_what_is_unchanged_keeps_its_time(self):
        out, page = self.folder / "out", self.page("page.md", PAGE)
        self.assertEqual(extract(out, [page]), ["page_1.cpp", "kernels/b/b.h"])
        before = {name: (out / name).stat().st_mtime_ns for name in ("page_1.cpp", "kernels/b/b.h")}
        (out / "old.cpp").write_text("of a block that is gone")
        self.page("page.md", PAGE.replace("int a", "int c"))
        extract(out, [page])
        self.assertFalse((out / "old.cpp").exists())
        self.assertEqual((out / "page_1.cpp").read_text(encoding="utf-8"), "int c;\n")
        self.assertEqual((out / "kernels/b/b.h").stat().st_mtime_ns, before["kernels/b/b.h"])

    def test_names_that_are_refused(self):
        for text, wrong in [("```cpp ../a.h\n```\n", "leaves the folder"), ("```cpp /a.h\n```\n", "leaves the folder"),
                            ("```cpp a.h\n```\n```cpp a.h\n```\n", "has the name a.h too")]:
            with self.assertRaisesRegex(DocError, wrong):
                extract(self.folder / "out", [self.page("page.md", text)])


if __name__ == "__main__":
    unittest.main()
