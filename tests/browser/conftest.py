"""One Chromium for all tests; each visits its page anew."""

from __future__ import annotations

import threading

import pytest

from tests import harness
from tests.browser.browser import Browser, to_other_hosts
from tests.site import make_site


@pytest.fixture(scope="session")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium):
    """Each test, whatever else it looks at, fails where the page complains or calls elsewhere."""
    chromium.home = None
    yield chromium
    assert chromium.complaints() == []
    assert to_other_hosts(chromium.requests(), chromium.home) == []


@pytest.fixture(scope="module", params=harness.STAGES)
def stage(request):
    with harness.Server(request.param) as server:
        yield server


@pytest.fixture(scope="session")
def site():
    with make_site.server() as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()
