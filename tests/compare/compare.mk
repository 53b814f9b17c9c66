# Comparing stages. The commands behind these targets: tests/compare/compare.py --help

COMPARE := $(PYTHON) tests/compare/compare.py
COMPARE_FLAGS = $(if $(CONV),--conv '$(CONV)') $(if $(JSON),--json)

.PHONY: diff trace compare-test
diff: deps  ## all conversations, all stages; A=01 B=02 [CONV=keepalive]: what differs
	$(call build)
	@$(COMPARE) $(if $(A)$(B),pair $(A) $(B),all) $(COMPARE_FLAGS)

trace: deps  ## explain the system calls of one stage: STAGE=03 CONV=keepalive
	$(call build)
	@$(COMPARE) trace $(or $(STAGE),01) $(COMPARE_FLAGS)

CHECKS += compare-test
compare-test: deps  ## play all conversations against all stages; test the comparison
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) tests/compare
