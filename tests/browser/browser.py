"""Chromium without a window, for tests: it tells what a page asked for and complained of."""

from __future__ import annotations

import json
import os
import urllib.parse

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# Chromium itself asks nobody anything: what is seen is what the page asked for.
FLAGS = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
         "--disable-background-networking", "--disable-sync", "--no-first-run", "--lang=en",
         "--disable-component-update", "--no-default-browser-check")
PATIENCE = 30  # seconds; a loaded machine starts a tab slowly


class Browser:
    """A tab. `visit` starts to record; `complaints` and `other_hosts` say what was seen since."""

    def __init__(self):
        options = Options()
        for flag in FLAGS + (("--no-sandbox",) if os.geteuid() == 0 else ()):
            options.add_argument(flag)
        # Whatever is not this machine is not found, and the attempt is in the log.
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.binary_location = "/usr/bin/chromium"
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(2 * PATIENCE)

    def close(self) -> None:
        self.driver.quit()

    def visit(self, url: str, width: int = 1280, dark: bool = False) -> None:
        self.width = width
        self.driver.get("about:blank")
        self.complaints(), self.requests()
        # An exact width: a window cannot be as narrow as a phone.
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.get(url)

    def speaks(self, languages: str) -> None:
        """What the next pages are told that its reader reads, the first one best."""
        self.driver.execute_cdp_cmd("Network.setUserAgentOverride", {
            "userAgent": self.run("return navigator.userAgent"), "acceptLanguage": languages})

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait(self, condition, what: str):
        """Until condition() is true; its value."""
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(
            lambda _: condition(), message=f"waited for: {what}")

    def press(self, *keys: str) -> None:
        """To whatever has the focus, as a keyboard does."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def overwrite(self, text: str) -> None:
        """What the focused field holds, by the keyboard."""
        webdriver.ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("a").key_up(
            Keys.CONTROL).send_keys(text).perform()

    def focused(self) -> str:
        return self.run("return document.activeElement.id || document.activeElement.tagName")

    def complaints(self) -> list[str]:
        """What is on the console: errors, failed loads and warnings."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """The URLs that were asked for since the last call."""
        messages = (json.loads(entry["message"])["message"]
                    for entry in self.driver.get_log("performance"))
        return [m["params"]["request"]["url"] for m in messages
                if m["method"] == "Network.requestWillBeSent"]

    def sideways(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.run("return Math.max(document.documentElement.scrollWidth, innerWidth) "
                        "- arguments[0]", self.width)


def to_other_hosts(urls: list[str], host: str) -> list[str]:
    """Those that leave `host` (host:port; empty for a file)."""
    return [url for url in urls
            if urllib.parse.urlsplit(url).scheme not in ("data", "blob", "about")
            and urllib.parse.urlsplit(url).netloc != host]
