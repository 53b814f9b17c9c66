# Which lines and branches of the stages and common/ the tests reach.

# A build of its own. Without exceptions, because each call that may throw would be a branch that no
# test takes; but where one is caught.
COVERAGE_BUILD := $(BUILD)/coverage
COVERAGE_FLAGS := -O0 -g --coverage -fprofile-update=atomic -fno-exceptions \
                  -Wl,--wrap=abort,--wrap=_Exit
COVERAGE_MAKE   = $(MAKE) --no-print-directory -s -j$(JOBS) BUILD=$(COVERAGE_BUILD) SAN= \
                  CXXFLAGS='$(COVERAGE_FLAGS)' COVERAGE=1

# A test that fails here is no matter of coverage: this build is slow, and `make blackbox` judges.
.PHONY: coverage coverage-deps
coverage: deps coverage-deps  ## lines and branches that no test reaches; fails below 95 % and 90 % of a file
	@$(COVERAGE_MAKE) all
	@find $(COVERAGE_BUILD) -name '*.gcda' -delete
	@$(COVERAGE_MAKE) unit-run allocation-run
	@LAB_STAGES= LAB_BIN=$(COVERAGE_BUILD) $(PYTEST) -n $(BLACKBOX_JOBS) tests/blackbox \
	  --ignore tests/blackbox/test_broken.py --ignore tests/blackbox/test_stage_shape.py \
	  --ignore tests/blackbox/test_survive_valgrind.py || [ $$? = 1 ]
	@$(PYTHON) -m tests.coverage.coverage $(COVERAGE_BUILD)

coverage-deps:
	@tests/coverage/deps.sh

CHECKS += coverage-test
.PHONY: coverage-test
coverage-test: deps  ## tests of what judges the coverage
	@$(PYTEST) tests/coverage

ifdef COVERAGE
$(OBJ)/common/buffer.o $(OBJ)/common/serve.o: ALL_FLAGS += -fexceptions
$(BINARIES) $(OBJ)/tests/unit/unit $(OBJ)/tests/unit/allocation: $(OBJ)/tests/coverage/flush.o
endif
