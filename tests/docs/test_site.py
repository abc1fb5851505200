"""The documentation site: built without a warning and without a network, whole, and loading nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+\.md)[^)]*\)")


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The built site; proxies that refuse would make any request fail."""
    out = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", "-d", out / "cache"]
    done = subprocess.run(
        [*command, DOCS, out / "html"],
        env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


def test_every_page_of_the_repository_is_a_page_of_the_site(site):
    sources = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")} - {Path("README.html")}
    assert {path for path in sources if not (site / path).is_file()} == set()


def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'(?:src|srcset)="([^"]+)"', text) + re.findall(r'<link[^>]*href="([^"]+)"', text)
        assert [address for address in loaded if "//" in address] == [], page
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", text), style


def test_links_to_files_outside_docs_lead_to_their_pages(site):
    def links(page: str) -> list[str]:
        main = (site / page).read_text(encoding="utf-8").partition('<article role="main"')[2]
        return re.findall(r'href="([^"]+)"', main)

    assert "../project/security.html" in links("how-to/write-a-plugin.html")
    assert "project/tiny-clip.html" in links("index.html")
    assert "../how-to/write-a-plugin.html" in links("project/plugins.html")


def test_links_between_files_lead_somewhere():
    """In the repository, where no Sphinx helps."""
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "plugins").rglob("*.md")]
    missing = [
        (page.relative_to(ROOT), link)
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).is_file()
    ]
    assert missing == []


def test_the_list_of_pages_is_the_site_s_table_of_contents():
    listed = LINK.findall((DOCS / "README.md").read_text(encoding="utf-8"))
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    contents = [f"{name}.md" for name in re.findall(r"^[\w-]+(?:/[\w-]+)?$", index, flags=re.MULTILINE)]
    inside = [name for name in contents if not name.startswith("project/")]
    assert [name for name in listed if not name.startswith("..")] == inside
