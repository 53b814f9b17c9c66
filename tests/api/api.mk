# notes/libevent_api.md, its Chinese twin, and that no function of libevent is missing in them.

.PHONY: api api-check
api: deps  ## write the tables of libevent's functions, notes/libevent_api.md and notes/zh
	@$(PYTHON) -m tests.api.api write

api-check: deps  ## fail where those tables lack a function or are stale
	@$(PYTHON) -m tests.api.api check
	@LAB_STAGES= $(PYTEST) tests/api

CHECKS += api-check
