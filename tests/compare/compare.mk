# Comparing stages. The commands behind these targets: python3 -m tests.compare.compare --help

COMPARE := $(PYTHON) -m tests.compare.compare
COMPARE_FLAGS = $(if $(CONV),--conv '$(CONV)') $(if $(JSON),--json)

.PHONY: diff trace conversations compare-test
diff: deps  ## all conversations, all stages; A=01 B=02 [CONV=keepalive]: what differs
	$(call build)
	@$(COMPARE) $(if $(A)$(B),pair $(A) $(B),all) $(COMPARE_FLAGS)

trace: deps  ## explain the system calls of one stage: STAGE=03 CONV=keepalive
	$(call build)
	@$(COMPARE) trace $(or $(STAGE),01) $(COMPARE_FLAGS)

conversations:  ## what CONV= may name
	@$(COMPARE) list

CHECKS += compare-test
compare-test: deps  ## play all conversations against all stages; test the comparison
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) tests/compare
