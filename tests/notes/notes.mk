# The notes quote the tree and show what runs: written and verified by a program.

.PHONY: notes notes-check lab-pages notes-zh-done changed
CHECKS += notes-check

notes: deps all  ## refresh the quotes and the captured outputs in the notes
	$(call build,$(ASAN),$(call bin_of,$(ASAN))/01_plain_epoll)  # for the pages of the lab
	@$(PYTHON) -m tests.notes.notes write --run $(NOTE)

notes-check: deps  ## fail where a quote, an output, a link or a translation went stale
	$(call build,,all all-next)
	@$(PYTHON) -m tests.notes.notes check --run
	@$(PYTEST) tests/notes

# What they show is what the matrix of the lab sees to, too; running it takes five minutes.
lab-pages: deps all  ## notes-check for what the pages of the lab show when they are run
	$(call build,$(ASAN),$(call bin_of,$(ASAN))/01_plain_epoll)
	@$(PYTHON) -m tests.notes.notes check --run --lab $(LAG)

changed: deps all  ## X=watch-both: a program with that change (notes/changed/), K=time: what the tests say
	@$(PYTHON) -m tests.notes.changed '$(X)' $(if $(K),'$(K)')

notes-zh-done:  ## NOTE=lab/1_1.md or README.zh.md: that translation is up to date now
	@$(PYTHON) -m tests.notes.notes translated $(NOTE)
