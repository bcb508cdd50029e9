"""Facts about the documentation as a site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlmon_exporter import __all__ as public

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    built = subprocess.run(
        [*command, "-d", folder / "doctrees", "-c", "docs/site", ".", folder / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.mark.slow
def test_the_site_has_each_page_and_each_public_name(site: Path) -> None:
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "alerts" / "runbooks").glob("*.md")]:
        assert (site / page.relative_to(ROOT)).with_suffix(".html").exists()
    api = (site / "docs" / "site" / "api.html").read_text()
    assert [name for name in public if f'id="mlmon_exporter.{name}"' not in api] == []


@pytest.mark.slow
def test_the_pictures_of_each_page_are_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        for source in re.findall(r'(?:src|srcset)="([^":]+\.(?:png|svg))"', page.read_text()):
            assert (page.parent / source).exists(), f"{page.name}: {source}"


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|img|link)[^>]*(?:src|href)=\"(https?:[^\"]+)")
    found = {url for page in site.rglob("*.html") for url in loaded.findall(page.read_text())}
    assert found == set()
