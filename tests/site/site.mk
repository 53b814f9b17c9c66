# The notes as a site of web pages, in build/site.

.PHONY: site serve-site site-deps
site: site-deps player  ## the README, the notes in both languages, the code and the player as a site, in build/site
	@$(PYTHON) -B -m tests.site.make_site build

serve-site: site  ## make the site, and show it on http://127.0.0.1:8000/ (PORT=)
	@$(PYTHON) -B -m tests.site.make_site serve $(PORT)

site-deps:
	@tests/site/deps.sh mkdocs mkdocs-material
