# Long runs: a crowd of all kinds of clients, and ten thousand of them at once.

.PHONY: soak soak-test c10k
soak: deps  ## healthy, slow, resetting and hostile clients against each stage under ASan: SECONDS=120 in all
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTHON) -B -m tests.soak.soak $(or $(SECONDS),120)

CHECKS += soak-test
soak-test: deps  ## does the soak notice a lost answer, a wrong byte, a leak?
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) -n 2 tests/soak

c10k: deps  ## 10,000 connections at once: memory per idle one, and what a healthy client notices
	$(call build)
	@$(PYTHON) -B -m tests.soak.c10k
