"""The worker's page in a real Chromium: Debian's, driven by Playwright, which downloads none of its own."""

import contextlib

from playwright.sync_api import sync_playwright

from harness import HANG_GUARD_S

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]


class Page:
    """A page that notes whatever goes wrong on it and whom it asks."""

    def __init__(self, browser, url, **options):
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(HANG_GUARD_S * 1000)
        self.problems, self.asked = [], set()
        self.page.on("console", lambda message: self.problems.append(message.text)
                     if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(request.url))
        self.page.goto(url)

    def wait(self, what, **arguments):
        """Until the JavaScript expression `what` is true."""
        self.page.wait_for_function(what, **arguments)

    def wait_for_text(self, selector, words):
        self.wait("([selector, words]) => document.querySelector(selector).innerText.includes(words)",
                  arg=[selector, words])

    def rows(self, name):
        """The texts of a table's cells."""
        return self.page.eval_on_selector_all(
            f"#{name} tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))")

    def width(self):
        return self.page.evaluate("document.documentElement.scrollWidth")


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
