# The notes quote the tree and show what runs: written and verified by a program.

.PHONY: notes notes-check notes-zh-done
CHECKS += notes-check

notes: deps all  ## refresh the quotes and the captured outputs in the notes
	@$(PYTHON) tests/notes/notes.py write --run $(NOTE)

notes-check: deps all  ## fail where a quote, an output, a link or a translation went stale
	@$(PYTHON) tests/notes/notes.py check --run
	@$(PYTEST) tests/notes

notes-zh-done:  ## NOTE=01_plain_epoll.md: its translation is up to date now
	@$(PYTHON) tests/notes/notes.py translated $(NOTE)
