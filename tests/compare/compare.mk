# Comparing stages. The commands behind these targets: tests/compare/compare.py --help

COMPARE := $(PYTHON) tests/compare/compare.py
COMPARE_FLAGS = $(if $(CONV),--conv $(CONV)) $(if $(JSON),--json)

.PHONY: diff trace compare-test
diff: deps  ## all conversations, all stages; A=01 B=02 [CONV=keepalive]: what differs
	@$(MAKE) --no-print-directory -s all
	@$(COMPARE) $(if $(A)$(B),pair $(A) $(B),all) $(COMPARE_FLAGS)

trace: deps  ## explain the system calls of one stage: STAGE=03 CONV=keepalive
	@$(MAKE) --no-print-directory -s all
	@$(COMPARE) trace $(or $(STAGE),01) $(COMPARE_FLAGS)

asan: compare-test
compare-test: deps  ## play all conversations against all stages; test the comparison
	@$(MAKE) --no-print-directory -s SAN=$(ASAN) $(call stages_of,$(ASAN)) \
	  $(call bin_of,$(ASAN))/evhttp_server
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) -q tests/compare
