"""make screenshots: pictures of the page for the documentation. No test of anything, so not run with them."""

import threading
import time

from browser import Page
from harness import ROOT, wait_until
from test_38_page import World, browser, url  # noqa: F401 (a fixture)
from worker import ANY_PORT


def test_pictures_for_the_documentation(scene, browser):
    """A worker in its day: events come in, one contact is refused, one waits, a producer has dropped a field."""
    scene.group, scene.dead_letter_topic = "marketing", "sendx-worker.dead-letter"
    world = World(scene, prefix="")
    scene.sandbox.fault(email="user7@example.com", status=422, body='{"message": "birthday is not a date"}')
    scene.sandbox.fault(email="user60@example.com", status=500)
    scene.sandbox.fault(delay_ms=20)
    worker = scene.start_worker(admin=ANY_PORT, rules=world.rules, account={"max_in_flight": 16})
    world.produce(3000)
    stop = threading.Event()

    def go_on():
        while not stop.wait(0.1):
            world.produce(9)
    producer = threading.Thread(target=go_on, daemon=True)
    producer.start()
    wait_until("the backlog to be done", lambda: worker.admin.status()["events"]["delivered"] > 3000)
    folder = ROOT / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, scheme in (("light", 1200, "light"), ("dark", 1200, "dark"), ("narrow", 360, "light")):
        page = Page(browser, url(worker), viewport={"width": width, "height": 800}, color_scheme=scheme,
                    reduced_motion="reduce")
        page.wait("() => [...document.querySelectorAll('#c-tags .moves')].length > 3")
        time.sleep(3)  # the rates settle
        page.page.screenshot(path=folder / f"{name}.png", full_page=True)
        assert not page.problems
        page.page.close()
    stop.set()
    producer.join()
    worker.kill()
