"""What mkdocs calls: each page is shown the navigation and the name of its own language."""

from __future__ import annotations

import copy

SITE_NAME = "反应堆实验课"  # the English one is in mkdocs.yml


def chinese(url: str) -> bool:
    return url.startswith(("zh/", "notes/zh/"))


def on_nav(nav, config, files):
    """One language ends where the other begins."""
    for before, after in zip(nav.pages, nav.pages[1:]):
        if chinese(before.url) != chinese(after.url):
            before.next_page = after.previous_page = None
    return nav


def on_page_context(context, page, config, nav):
    """The last part of the navigation is the Chinese one, whose first page is a home page."""
    context["nav"] = shown = copy.copy(nav)
    shown.items = nav.items[-1].children if chinese(page.url) else nav.items[:-1]
    if chinese(page.url):
        shown.homepage = shown.items[0]
        context["config"] = copy.copy(config)
        context["config"]["site_name"] = SITE_NAME
    return context
