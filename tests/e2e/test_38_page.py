"""The page of the admin endpoint in a real browser."""

import json
import random

import pytest

from browser import Page, chromium
from harness import ROOT, wait_until
from worker import ANY_PORT

TOKEN = "page-token-40417"


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


def demo_rules():
    """The rules of the demo, whose topics are as they are called there."""
    text = (ROOT / "conf/demo.conf").read_text()
    return text[text.index('email = "${user.email'):]


class World:
    """Users who register and change their plans, one after the other."""

    def __init__(self, scene, prefix=None, seed=4):
        self.scene, self.random, self.users = scene, random.Random(seed), 0
        prefix = f"{scene.name}." if prefix is None else prefix
        names = {name: prefix + name for name in ("user.registered", "plan.changed")}
        scene.topics = names
        scene.partitions = {names["user.registered"]: 4, names["plan.changed"]: 2}
        scene.kafka.create_topics({**scene.partitions, scene.dead_letter_topic: 2})
        self.rules = demo_rules()
        for name, full in names.items():
            self.rules = self.rules.replace(f'topics = [ "{name}" ]', f'topics = [ "{full}" ]')

    def produce(self, count):
        registered, changed = [], []
        for _ in range(count):
            self.users += 1
            email, n = f"user{self.users}@example.com", self.users
            key = email.encode()
            user = {"email": email, "first_name": "Ada", "signup": {"source": self.random.choice(["ads", "web", "friend"])},
                    "beta": n % 5 == 0, "interests": self.random.sample(["music", "sailing", "books"], 2)}
            if n % 4:
                user |= {"last_name": "Lovelace", "birthday": "1990-12-10"}
            if n % 3:
                user["company"] = {"name": "Hexagon Labs"}
            registered.append((n % 4, key, json.dumps({"user": user}).encode()))
            if n % 2:
                changed.append((n % 2, key, json.dumps({"user": {"email": email}, "from": "trial",
                                                        "to": self.random.choice(["pro", "enterprise", "trial"])}).encode()))
        self.scene.produce(registered, "user.registered")
        self.scene.produce(changed, "plan.changed")

    def run_until(self, condition, per_turn=8):
        """Produces on until the condition is met."""
        def turn():
            self.produce(per_turn)
            return condition()
        return wait_until("what the page should show", turn, every=0.1)


def url(worker):
    return f"http://{worker.admin.address}/"


def test_the_page_shows_what_the_status_says(scene, browser):
    world = World(scene)
    world.produce(300)
    worker = scene.start_worker(admin=ANY_PORT, rules=world.rules)
    scene.wait_until_finished(worker)
    wait_until("the ends", lambda: all(part["lag"] == 0 for part in worker.admin.status()["partitions"]))
    page = Page(browser, url(worker))
    page.wait_for_text("#sentence", "At rest")
    status = worker.admin.status()
    assert len(page.rows("partitions")) == 6
    for row, rule in zip(page.rows("rules"), status["rules"]):
        plain = [cell.replace("\u202f", "") for cell in row]
        assert plain[0].startswith(rule["name"]) and plain[1] == str(rule["matched"]), row
        assert plain[3] == str(rule["calls"]["identify"]["done"] + rule["calls"]["track"]["done"]), row
        assert "user.email" in row[5]
    nodes = page.page.inner_text("#picture")
    for topic in scene.topics.values():
        assert topic in nodes
    for tag in ("+ registered", "+ paid user", "− trial user"):
        assert tag in nodes, nodes
    assert "identify" in nodes and "track" in nodes
    assert page.page.inner_text("#failures-none") and not page.page.is_visible("#failures-table")
    page.page.click("summary")
    assert "plan_tag" in page.page.inner_text("#configuration") and "***" in page.page.inner_text("#configuration")
    assert "@example.com" not in page.page.inner_text("body").replace("***@example.com", "")

    # Everything it asks for is the worker's.
    assert all(one.startswith((url(worker), "data:")) for one in page.asked), page.asked
    assert not page.problems
    worker.stop()


def test_a_fault_appears_and_disappears(scene, browser):
    world = World(scene)
    worker = scene.start_worker(admin=ANY_PORT, rules=world.rules)
    world.produce(20)
    page = Page(browser, url(worker))
    page.wait_for_text("#accounts", "open")
    fault = scene.sandbox.fault(status=503)
    world.produce(40)
    page.wait_for_text("#sentence", "Held")
    page.wait_for_text("#holds", "outage")
    page.wait_for_text("#retrying", "503")
    page.wait_for_text("#failures", "tried again")
    assert page.page.title().startswith("Held")
    assert not any("user" in row[0] for row in page.rows("retrying")), "an address is whole"
    scene.sandbox.end_faults(fault)
    page.wait("() => document.querySelector('#holds-part').hidden")
    page.wait("() => !document.querySelector('#retrying-none').hidden")
    page.wait_for_text("#accounts", "open")
    assert not page.problems
    worker.stop()


def test_it_says_so_when_the_worker_is_gone_and_when_it_is_back(scene, browser):
    world = World(scene)
    worker = scene.start_worker(admin=ANY_PORT, rules=world.rules)
    world.produce(10)
    page = Page(browser, url(worker))
    page.wait_for_text("#meta", scene.group)
    worker.stop()
    page.wait("() => !document.querySelector('#gone').hidden")
    page.wait_for_text("#gone", "does not answer")
    again = scene.start_worker("again", admin={"listen": worker.admin.address}, rules=world.rules)
    page.wait("() => document.querySelector('#gone').hidden")
    # The browser itself reports each request without an answer.
    assert all("ERR_" in problem for problem in page.problems), page.problems
    again.stop()


def test_the_token_is_asked_for_once_and_nothing_is_shown_before(scene, browser):
    world = World(scene)
    worker = scene.start_worker(admin={"listen": "127.0.0.1:0", "token": TOKEN}, rules=world.rules)
    page = Page(browser, url(worker))
    page.wait("() => !document.querySelector('#login').hidden")
    assert scene.group not in page.page.content()
    page.page.fill("#token", "wrong")
    page.page.press("#token", "Enter")
    page.wait("() => !document.querySelector('#refused').hidden")
    page.page.fill("#token", TOKEN)
    page.page.press("#token", "Enter")
    page.wait_for_text("#meta", scene.group)
    page.page.reload()
    page.wait_for_text("#meta", scene.group)
    assert all("401" in problem for problem in page.problems), page.problems
    assert TOKEN not in "".join(page.asked)
    worker.stop()


def test_it_is_usable_narrow_and_by_keyboard(scene, browser):
    world = World(scene)
    world.produce(50)
    worker = scene.start_worker(admin=ANY_PORT, rules=world.rules)
    page = Page(browser, url(worker), viewport={"width": 360, "height": 740})
    page.wait_for_text("#rules", "registration")
    assert page.width() <= 360
    reached = []
    for _ in range(12):
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate("document.activeElement.id || document.activeElement.className || "
                                          "document.activeElement.localName"))
    assert reached[0] == "skip" and "pause" in reached and "summary" in reached, reached
    assert sum(name.startswith("card scroll") for name in reached) >= 4, reached

    # Paused, it stands still.
    page.page.focus("#pause")
    page.page.keyboard.press("Space")
    before = page.page.inner_text("#rules")
    world.produce(10)
    scene.wait_until_finished(worker)
    with page.page.expect_response("**/status.json"):
        pass
    assert page.page.inner_text("#rules") == before
    page.page.keyboard.press("Space")
    page.wait("before => document.querySelector('#rules').innerText !== before", arg=before)
    assert not page.problems
    worker.stop()
