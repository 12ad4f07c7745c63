"""Links between the documents of this repository lead to files and headings that are there."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_ANCHOR = re.compile(r"""<a (?:id|name)=["']([^"']+)""")


def documents() -> list[Path]:
    """Every Markdown file that git knows."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


@functools.cache
def anchors(document: Path) -> frozenset[str]:
    """What can be linked to, as GitHub makes it of headings."""
    text = _FENCED.sub("", document.read_text())
    found: list[str] = _ANCHOR.findall(text)
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return frozenset(found)


def test_links_between_documents_are_true() -> None:
    checked, wrong = 0, []
    for document in documents():
        for target in _LINK.findall(_FENCED.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            checked += 1
            name, _, anchor = target.partition("#")
            file = (document.parent / name).resolve() if name else document
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                wrong.append(f"{document.relative_to(ROOT)}: {target}")
    assert checked > 50
    assert not wrong, "\n".join(wrong)
