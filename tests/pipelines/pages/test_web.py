"""The page with a network in it: masks as Python's, nothing from elsewhere, usable by people."""

import base64
import functools
import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import pipelines
from pipelines.workspace.errors import PipelineError
from sinet.bundled import BUNDLED
from sinet.checkpoint import load_model
from sinet.data.reading import read_image
from sinet.predict import predict
from tests.browser import shown_by
from tests.pipelines.pages.conftest import Seen, seen

Pixels = npt.NDArray[np.uint8]
SCREENSHOTS = Path(os.environ["WEB_SCREENSHOTS"]) if "WEB_SCREENSHOTS" in os.environ else None
"""Where the pictures of docs/web.md go: `WEB_SCREENSHOTS=docs/web uv run pytest THIS_FILE`."""


class Quiet(SimpleHTTPRequestHandler):
    """`python -m http.server` without its log."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def web_page(tmp_path_factory: pytest.TempPathFactory) -> pipelines.WebPage:
    out = tmp_path_factory.mktemp("web") / "page"
    network = pipelines.parse_network("sinet:bundled")
    return pipelines.write_web_page(pipelines.WebRequest(out=out, network=network))


@pytest.fixture(scope="session")
def address(web_page: pipelines.WebPage) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(web_page.path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Seen]:
    found = seen(browser, address)
    yield found
    found.page.close()


def says(page: Page, text: str, where: str = "#said") -> None:
    page.locator(where, has_text=text).wait_for()


def show(page: Page, file: Path, background: str = "transparent") -> Pixels:
    """Give the page a picture; what it shows, uint8 (H, W, 4)."""
    page.locator("#choose:enabled").wait_for()
    page.check(f"input[value={background}]")
    page.set_input_files("#file", file)
    says(page, f"{file.name} is done.")
    return shown(page)


def shown(page: Page) -> Pixels:
    width, height, values = page.evaluate(
        """() => { const c = document.querySelector("canvas");
        const copy = new OffscreenCanvas(c.width, c.height).getContext("2d");
        copy.drawImage(c, 0, 0);
        const d = copy.getImageData(0, 0, c.width, c.height).data;
        let s = ""; for (let i = 0; i < d.length; i += 8192)
          s += String.fromCharCode(...d.subarray(i, i + 8192));
        return [c.width, c.height, btoa(s)]; }"""
    )
    return np.frombuffer(base64.b64decode(values), np.uint8).reshape(height, width, 4)


def iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def expected(image: Pixels) -> npt.NDArray[np.bool_]:
    """The mask as `predict` makes it."""
    return predict(load_model(BUNDLED["sinet:bundled"]), image) > 0.5


def portraits(shared: Path, tmp_path: Path) -> list[Path]:
    """Real ones of several sizes, one of them on its side in the file."""
    found = [
        shared / "data/crawl/web/images/gov18f_00064.jpg",
        shared / "data/crawl/web/images/gov18f_00002.jpg",
        *sorted((shared / "data/eg1800/images").iterdir())[:2],
    ]
    turned = tmp_path / "turned.jpg"
    with Image.open(found[0]) as upright:
        exif = Image.Exif()
        exif[0x0112] = 6
        upright.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=95)
    return [*found, turned]


def test_a_picture_is_cut_out_as_python_does_it(
    opened: Seen, address: str, shared: Path, tmp_path: Path
) -> None:
    page = opened.page
    for file in portraits(shared, tmp_path):
        image = read_image(file)
        found = show(page, file)
        assert found.shape[:2] == image.shape[:2]
        assert iou(found[..., 3] > 127, expected(image)) >= 0.98, file.name
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "cut-out.png"
    with Image.open(download.value.path()) as saved:
        assert saved.mode == "RGBA"
        assert saved.size == (image.shape[1], image.shape[0])
    assert opened.complaints == []
    assert opened.requests
    elsewhere = [url for url in opened.requests if not url.startswith((address, f"blob:{address}"))]
    assert elsewhere == []


def test_the_background_changes_and_the_person_does_not(
    opened: Seen, astronaut: Pixels, tmp_path: Path
) -> None:
    file = tmp_path / "astronaut.png"
    Image.fromarray(astronaut).save(file)
    image = astronaut.astype(float)
    alpha = show(opened.page, file)[..., 3]
    person, elsewhere = alpha == 255, alpha == 0
    assert min(person.mean(), elsewhere.mean()) > 0.15
    opened.page.check("input[value=blur]")
    blurred = shown(opened.page)[..., :3].astype(float)
    assert np.abs(blurred - image)[person].mean() < 2
    assert sharpness(blurred, elsewhere) < 0.25 * sharpness(image, elsewhere)
    opened.page.check("input[value=colour]")
    opened.page.fill("#colour", "#ff8800")
    opened.page.dispatch_event("#colour", "input")
    coloured = shown(opened.page)
    assert (coloured[elsewhere] == [255, 136, 0, 255]).all()
    assert np.abs(coloured[..., :3] - image)[person].mean() < 2


def sharpness(image: npt.NDArray[np.float64], where: npt.NDArray[np.bool_]) -> float:
    """Mean step between neighbours of a row."""
    return float(np.abs(np.diff(image, axis=1))[where[:, 1:] & where[:, :-1]].mean())


def test_the_camera(browser: Browser, address: str, camera: Path) -> None:
    found = seen(browser, address, permissions=["camera"])
    page = found.page
    says(page, "Ready.")
    page.check("input[value=transparent]")
    page.focus("#camera")
    page.keyboard.press("Enter")
    says(page, "The camera is on.")
    page.locator("#frame-ms", has_text=re.compile(r"\d")).wait_for()
    assert page.inner_text("#size") == "640 × 480"
    frame = shown_by(camera)
    assert iou(shown(page)[..., 3] > 127, expected(frame)) >= 0.98
    page.click("#camera")
    says(page, "The camera is off.")
    assert page.inner_text("#camera") == "Use the camera"
    assert found.complaints == []
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_people_can_use_it(
    browser: Browser, address: str, shared: Path, width: int, scheme: str
) -> None:
    found = seen(browser, address, width=width, scheme=scheme)
    page = found.page
    says(page, "Ready.")
    assert found.violations() == []
    show(page, shared / "data/crawl/web/images/gov18f_00064.jpg", "blur")
    assert found.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert "sinet:bundled, 86,910 parameters" in page.inner_text("#about")
    if SCREENSHOTS:
        name = {1280: "light", 390: "telephone"}[width]
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=width == 390)
    page.focus("#choose")
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
    assert reached[:3] == ["blur", "blur", "save"]  # the choice of that value, and its slider
    page.close()


def test_what_goes_wrong_is_said(browser: Browser, address: str, tmp_path: Path) -> None:
    found = seen(browser, address, permissions=[])
    page = found.page
    says(page, "Ready.")
    page.click("#camera")
    says(page, "The camera was not allowed", "#problem")
    for name, told in (
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "The camera does not answer"),
        ("AbortError", "The camera cannot be opened: broken"),
    ):
        page.evaluate(
            "name => navigator.mediaDevices.getUserMedia = "
            "() => Promise.reject(new DOMException('broken', name))",
            name,
        )
        page.click("#camera")
        says(page, told, "#problem")
    (tmp_path / "<img src=x onerror=alert(1)>.png").write_bytes(b"no picture")
    page.set_input_files("#file", next(tmp_path.iterdir()))
    says(page, "onerror=alert(1)>.png is no picture that this browser can read", "#problem")
    assert found.violations() == []
    assert found.complaints == []
    page.close()


def test_a_page_that_lacks_its_network_says_so(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.route("**/network.onnx", lambda route: route.fulfill(status=404))
    page.goto(address)
    says(page, "cannot be loaded: network.onnx is missing (404)", "#problem")
    page.close()


def test_opened_as_a_file_it_says_how_to_serve_it(
    browser: Browser, web_page: pipelines.WebPage
) -> None:
    page = browser.new_page()
    page.goto((web_page.path / "index.html").as_uri())
    page.locator("#unserved").wait_for(state="visible")
    assert "python -m http.server" in page.inner_text("#unserved")
    page.close()


def test_the_folder_holds_all_that_it_needs(web_page: pipelines.WebPage) -> None:
    about = json.loads((web_page.path / "network.json").read_text())
    assert (about["width"], about["height"]) == (web_page.width, web_page.height) == (224, 224)
    assert about["licence"] == "its weights are for research use only"
    assert web_page.agreement.mask_iou >= 0.999
    names = {str(file.relative_to(web_page.path)) for file in web_page.path.rglob("*.txt")}
    licences = ("LICENSE.txt", "ThirdPartyNotices.txt")
    assert names == {"network.LICENSE.txt", *(f"onnxruntime/{name}" for name in licences)}
    files = (file for file in web_page.path.rglob("*") if file.is_file())
    assert web_page.size_bytes == sum(file.stat().st_size for file in files)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    network = pipelines.parse_network("sinet:bundled")
    (tmp_path / "page").mkdir()
    (tmp_path / "page/mine").touch()
    for name, pattern in (
        ("page", "is there already"),
        ("page/mine", "is there"),
        ("no/page", "no"),
    ):
        with pytest.raises(PipelineError, match=pattern):
            pipelines.write_web_page(pipelines.WebRequest(out=tmp_path / name, network=network))
    assert [file.name for file in tmp_path.rglob("*")] == ["page", "mine"]
