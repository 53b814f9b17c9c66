# The pages, in a real browser without a window.

.PHONY: browser-test browser-deps
browser-test: deps browser-deps all site report-for-browser  ## each stage's page, the report and the site in Chromium
	@PYTHONDONTWRITEBYTECODE=1 $(PYTEST) -q tests/browser

# A report that is there already will do: what is tested is the page, not the day's numbers.
.PHONY: report-for-browser
report-for-browser:
	@[ -e $(BUILD)/report/index.html ] || $(MAKE) --no-print-directory -s report

browser-deps:
	@tests/site/deps.sh chromium chromium-driver python3-selenium
