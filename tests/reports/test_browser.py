"""The page in headless Chromium, at the width of a desk and of a phone: clicks, keys, downloads."""

from __future__ import annotations

import base64
import io
import re
import shutil
import time
from pathlib import Path
from urllib.parse import quote

import anndata
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces import _seeds
from pysces._keys import NetworkResult
from pysces.data import _results
from pysces.reports._content import printable

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
pytest.importorskip("networkx", reason="the extra `plot` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")
webdriver = pytest.importorskip("selenium.webdriver", reason="the extra `browser` is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("Chromium and its driver are not installed", allow_module_level=True)

DESK, PHONE = (1280, 900), (390, 844)


def browser(size: tuple[int, int], *, dark: bool = False):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                     "--disable-background-networking", "--disable-component-update",
                     "--disable-dev-shm-usage",
                     f"--window-size={size[0]},{size[1] + 143}"):  # fmt: skip
        options.add_argument(argument)
    if dark:
        options.add_argument("--blink-settings=preferredColorScheme=0")
    if size == PHONE:
        metrics = {"width": size[0], "height": size[1], "pixelRatio": 2.0, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


@pytest.fixture(scope="module", params=[DESK, PHONE], ids=["desk", "phone"])
def driver(request):
    chrome = browser(request.param)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def desk():
    chrome = browser(DESK)
    yield chrome
    chrome.quit()


@pytest.fixture
def opened(driver, page):
    return visit(driver, page)


@pytest.fixture
def at_desk(desk, page):
    return visit(desk, page)


def visit(chrome, path: Path, hash: str = ""):
    chrome.get("about:blank")
    chrome.get(path.as_uri() + hash)
    return chrome


def all_of(chrome, selector: str):
    return chrome.find_elements("css selector", selector)


def one(chrome, selector: str):
    return chrome.find_element("css selector", selector)


def click(chrome, element) -> None:
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def until(condition, seconds: float = 10.0):
    """Wait for what a condition returns, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the page did not answer"
        time.sleep(0.05)
    return found


def column(chrome, table: str, number: int) -> list[str]:
    cells = all_of(chrome, f"[data-table={table}] tbody td:nth-child({number})")
    return [cell.get_property("textContent") for cell in cells]


def titles(chrome, table: str) -> list[str]:
    heads = all_of(chrome, f"[data-table={table}] thead th button")
    return [head.get_property("textContent") for head in heads]


def status(chrome, table: str) -> str:
    return one(chrome, f"[data-table={table}] .status").get_property("textContent")


def faults(chrome) -> list[str]:
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def test_page_fits_and_requests_nothing(opened) -> None:
    found = opened.execute_script("""
      const root = document.documentElement, images = [...document.images];
      return {
        wide: root.scrollWidth, inner: innerWidth, title: document.title, images: images.length,
        drawn: images.filter((i) => i.complete && i.naturalWidth).length,
        cut: images.filter((i) => i.getBoundingClientRect().right > innerWidth).length,
        fetched: performance.getEntriesByType("resource").map((e) => e.name)
          .filter((name) => !name.startsWith("data:")),
        font: parseFloat(getComputedStyle(document.body).fontSize),
      };""")
    assert found["wide"] <= found["inner"], "the page scrolls sideways"
    assert found["drawn"] == found["images"] == 5
    assert found["cut"] == 0
    assert found["fetched"] == []
    assert found["title"].startswith("PySCES report")
    assert found["font"] >= 14
    assert faults(opened) == []


def test_click_opens_a_regulator_with_all_that_is_known(opened, results, hostile) -> None:
    edges = results.uns["<em>net<"]["network"]
    for name in hostile[:3]:
        shown = printable(name)
        link = next(
            a for a in all_of(opened, "[data-table=regulators] td.gene a") if a.text == shown
        )
        click(opened, link)
        until(lambda: one(opened, "#gene").get_attribute("open") is not None)
        assert one(opened, "#gene-title").text == shown
        assert opened.switch_to.active_element == one(opened, "#gene-title")
        sections = {
            section.find_element("css selector", "h3").text: section
            for section in all_of(opened, "#gene section")
        }
        own = edges[edges["source"] == name]
        assert f"of {len(own)} rows" in sections["Targets"].text
        targets = [a.text for a in sections["Targets"].find_elements("css selector", "td.gene a")]
        strongest = own.sort_values("rank")["target"].astype(str).map(printable)
        assert targets == strongest[:10].tolist()
        groups = sections["Activity by <i>kind<"].find_elements("css selector", "tbody td.label")
        assert [cell.text for cell in groups] == list(results.obs["<i>kind<"].cat.categories)
        boxes = sections["Activity by <i>kind<"].find_elements("css selector", "td.box svg rect")
        assert len(boxes) == 3
        nodes = sections["Neighbours"].find_elements("css selector", ".graph .node")
        assert nodes[0].get_attribute("aria-label") == shown
        assert len(nodes) >= min(15, len(own))
        wide = opened.execute_script("const p = document.getElementById('gene');"
                                     "return [p.scrollWidth, p.clientWidth]")  # fmt: skip
        assert wide[0] <= wide[1]
        opened.switch_to.active_element.send_keys("\ue00c")  # Escape
        until(lambda: one(opened, "#gene").get_attribute("open") is None)
        assert opened.switch_to.active_element == link, "the focus returns"
    assert opened.title.startswith("PySCES report"), "no name became a script"
    assert faults(opened) == []


def test_tables_sort_search_filter_and_turn_pages(opened, results) -> None:
    edges = results.uns["<em>net<"]["network"]
    names = titles(opened, "edges")
    place = names.index("MI") + 1
    head = all_of(opened, "[data-table=edges] thead th button")[place - 1]

    def numbers() -> list[float]:
        return [float(text.replace("−", "-")) for text in column(opened, "edges", place)]

    click(opened, head)
    best = np.sort(edges["mi"])[::-1]
    np.testing.assert_allclose(numbers(), best[:25], rtol=0.01)
    click(opened, one(opened, "[data-table=edges] [aria-label='Next page']"))
    np.testing.assert_allclose(numbers(), best[25:50], rtol=0.01)
    assert status(opened, "edges").startswith(f"26 to {min(50, len(edges))} of {len(edges)}")
    click(opened, head)
    np.testing.assert_allclose(numbers(), best[::-1][:25], rtol=0.01)
    heads = all_of(opened, "[data-table=edges] thead th")
    assert heads[place - 1].get_attribute("aria-sort") == "ascending"
    assert sum(th.get_attribute("aria-sort") is not None for th in heads) == 1

    search = one(opened, "[data-table=edges] input[type=search]")
    search.send_keys("GENE1")
    found = edges[edges["target"].astype(str).str.contains("gene1")]
    assert f"of {len(found)} row" in status(opened, "edges")
    assert all("gene1" in name for name in column(opened, "edges", 2))

    click(opened, one(opened, "[data-table=edges] [aria-expanded]"))
    limit = float(found["mi"].median())
    box = one(opened, "[data-table=edges] [aria-label='Filter MI']")
    box.send_keys(f"> {limit:.6f}")
    assert f"of {int((found['mi'] > limit).sum())} row" in status(opened, "edges")
    box.clear()
    box.send_keys("what")
    assert box.get_attribute("aria-invalid") == "true"
    assert f"of {len(found)} row" in status(opened, "edges"), "no filter that is not understood"


def test_download_has_the_rows_that_are_left(at_desk, results, tmp_path) -> None:
    at_desk.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    one(at_desk, "[data-table=edges] input[type=search]").send_keys("gene2")
    click(at_desk, next(b for b in all_of(at_desk, "[data-table=edges] button")
                        if b.text == "Download TSV"))  # fmt: skip
    path = until(lambda: next(iter(tmp_path.glob("*.tsv")), None))
    table = pd.read_csv(io.StringIO(until(path.read_text)), sep="\t")
    edges = results.uns["<em>net<"]["network"]
    found = edges[edges["target"].astype(str).str.contains("gene2")]
    assert table["target"].tolist() == found["target"].astype(str).tolist()
    assert table["regulator"].tolist() == found["source"].astype(str).map(printable).tolist()
    np.testing.assert_allclose(table["MI"], found["mi"], rtol=1e-3)
    assert table["support"].tolist() == found["support"].tolist()


def positions(chrome) -> dict[str, tuple[float, float]]:
    return chrome.execute_script("""
      const nodes = [...document.querySelectorAll("#overview-network .node")];
      return Object.fromEntries(nodes.map((n) => {
        const box = n.querySelector("circle, rect").getBBox();
        return [n.getAttribute("aria-label"), [box.x + box.width / 2, box.y + box.height / 2]];
      }));""")


def moves(before, after) -> dict[str, tuple[float, float]]:
    return {n: (after[n][0] - before[n][0], after[n][1] - before[n][1]) for n in before}


def test_network_moves_zooms_and_drags(opened) -> None:
    view = one(opened, "#overview-network .graph")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", view)
    start = positions(opened)
    assert len(start) > 3
    size = view.size
    inside = [
        x for x in start.values() if 0 <= x[0] <= size["width"] and 0 <= x[1] <= size["height"]
    ]
    assert len(inside) == len(start), "all genes are in view"

    corner = (-size["width"] // 2 + 8, size["height"] // 2 - 8)
    mouse = webdriver.ActionChains(opened, duration=50)
    mouse.move_to_element_with_offset(view, *corner).click_and_hold().move_by_offset(
        30, -20
    ).release()
    mouse.perform()
    panned = positions(opened)
    np.testing.assert_allclose(
        list(moves(start, panned).values()), [(30, -20)] * len(start), atol=1.5
    )

    name, node = next(
        (n.get_attribute("aria-label"), n) for n in all_of(opened, "#overview-network .node")
    )
    mark = node.find_element("css selector", "rect, circle")
    webdriver.ActionChains(opened, duration=50).click_and_hold(mark).move_by_offset(
        25, 15
    ).release().perform()
    dragged = moves(panned, positions(opened))
    np.testing.assert_allclose(dragged.pop(name), (25, 15), atol=1.5)
    assert not np.any(list(dragged.values()))
    assert one(opened, "#gene").get_attribute("open") is None, "a drag is not a click"

    click(opened, one(opened, "#overview-network [aria-label='Show all']"))
    before = positions(opened)
    click(opened, one(opened, "#overview-network [aria-label='Zoom in']"))
    spread = np.ptp(list(positions(opened).values()), axis=0) / np.ptp(
        list(before.values()), axis=0
    )
    np.testing.assert_allclose(spread, 1.3, rtol=0.01)

    view.send_keys("0")
    np.testing.assert_allclose(list(positions(opened).values()), list(before.values()))
    view.send_keys("\ue014")  # right arrow
    shift = moves(before, positions(opened))
    np.testing.assert_allclose(list(shift.values()), [(-40, 0)] * len(shift), atol=1e-3)
    assert faults(opened) == []


def test_keyboard_reaches_and_opens(at_desk) -> None:
    link = one(at_desk, "[data-table=regulators] td.gene a")
    before = one(at_desk, "[data-table=regulators] .scroll")
    at_desk.execute_script("arguments[0].focus()", before)
    for _ in range(20):
        at_desk.switch_to.active_element.send_keys("\ue004")  # Tab
        if at_desk.switch_to.active_element == link:
            break
    assert at_desk.switch_to.active_element == link
    link.send_keys("\ue007")  # Enter
    until(lambda: one(at_desk, "#gene").get_attribute("open") is not None)
    for _ in range(5):
        at_desk.switch_to.active_element.send_keys("\ue004")
        inside = "return document.getElementById('gene').contains(document.activeElement)"
        assert at_desk.execute_script(inside) or at_desk.execute_script(
            "return document.activeElement === document.body"
        ), "the focus stays in the panel"


def test_screen_reader_hears_names_and_roles(at_desk) -> None:
    click(at_desk, one(at_desk, "[data-table=edges] [aria-expanded]"))
    for selector in ("#quality", "[data-table=edges]", "#overview-network", "nav"):
        for part in all_of(at_desk, f"{selector} :is(button, input, select, a, [role])"):
            assert part.accessible_name.strip() or part.aria_role == "status", part.get_attribute(
                "outerHTML"
            )
    assert all(image.accessible_name for image in all_of(at_desk, "img"))
    levels = [int(h.tag_name[1]) for h in all_of(at_desk, "main :is(h1, h2, h3)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) == 1
    assert one(at_desk, "#gene").get_attribute("aria-labelledby") == "gene-title"


def test_address_opens_a_gene_and_back_closes_it(desk, page, hostile) -> None:
    visit(desk, page, f"#gene={quote(hostile[3], safe='')}")
    until(lambda: one(desk, "#gene").get_attribute("open") is not None)
    assert one(desk, "#gene-title").text == hostile[3]
    assert "Regulators of this gene" in one(desk, "#gene-body").text
    inner = one(desk, "#gene-body td.gene a")
    name = inner.text
    click(desk, inner)
    until(lambda: one(desk, "#gene-title").text == name)
    desk.back()
    until(lambda: one(desk, "#gene-title").text == hostile[3])


def test_no_other_script_runs(at_desk) -> None:
    at_desk.execute_script("""
      const script = document.createElement("script");
      try { script.textContent = "window.ran = true"; } catch { /* trusted types */ }
      document.body.append(script);
      const image = document.createElement("img");
      image.setAttribute("src", "https://example.invalid/x.png");
      document.body.append(image);""")
    assert at_desk.execute_script("return window.ran") is None
    blocked = until(lambda: faults(at_desk))
    assert re.search("Content Security Policy|TrustedScript", " ".join(blocked))


@pytest.mark.parametrize("dark", [True, False])
def test_page_and_plots_follow_light_and_dark(page, dark) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow comes with matplotlib")
    chrome = browser(DESK, dark=dark)
    try:
        visit(chrome, page)
        for selector in ("body", ".figures img"):
            part = one(chrome, selector)
            chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", part)
            if selector == "body":
                data = base64.b64decode(chrome.get_screenshot_as_base64())
            else:
                data = base64.b64decode(part.screenshot_as_base64)
            with image.open(io.BytesIO(data)) as picture:
                corner = picture.convert("L").getpixel((3, 3))
                low, high = picture.convert("L").getextrema()
            assert (corner < 60) == dark, selector
            assert high - low > 150, "text stands out"
    finally:
        chrome.quit()


def test_page_prints(at_desk) -> None:
    pdf = base64.b64decode(at_desk.print_page())
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14


def test_hundred_thousand_edges_stay_in_pages(desk, tmp_path) -> None:
    rng = _seeds.generator(2, "report")
    pairs = rng.choice(500 * 8000, size=100_000, replace=False)
    edges = pd.DataFrame({"source": pairs // 8000, "target": pairs % 8000})
    edges = edges.apply(lambda numbers: numbers.name[0].upper() + numbers.astype(str))
    edges["mi"] = rng.random(len(edges))
    edges["support"] = rng.integers(50, 100, size=len(edges))
    adata = anndata.AnnData(np.zeros((10, 2)))
    _results.write(adata, "aracne", NetworkResult(network=edges))
    pysces.report(adata, tmp_path / "large.html")
    visit(desk, tmp_path / "large.html")
    assert len(all_of(desk, "[data-table=edges] tbody tr")) == 25
    assert status(desk, "edges") == "1 to 25 of 100,000 rows"
    place = titles(desk, "edges").index("MI")
    click(desk, all_of(desk, "[data-table=edges] thead th button")[place])
    shown = [float(text) for text in column(desk, "edges", place + 1)]
    np.testing.assert_allclose(shown, np.sort(edges["mi"])[::-1][:25], rtol=0.01)
    one(desk, "[data-table=edges] input[type=search]").send_keys("S77")
    found = edges["source"].str.contains("S77").sum()
    assert status(desk, "edges").startswith(f"1 to 25 of {found:,} rows")
    took = desk.execute_script("""
      const search = document.querySelector("[data-table=edges] input[type=search]");
      const start = performance.now();
      search.value = "T12";
      search.dispatchEvent(new Event("input"));
      return performance.now() - start;""")
    assert took < 2000, f"a search takes {took} ms"
    assert faults(desk) == []
