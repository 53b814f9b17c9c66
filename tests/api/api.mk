# notes/libevent_api.md, and that no function of libevent is missing in it.

.PHONY: api api-check
api: deps  ## write the table of libevent's functions, notes/libevent_api.md
	@$(PYTHON) -m tests.api.api write

api-check: deps  ## fail where that table lacks a function or is stale
	@$(PYTHON) -m tests.api.api check
	@LAB_STAGES= $(PYTEST) tests/api

CHECKS += api-check
