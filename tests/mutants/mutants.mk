# Mutants: small faults, put into the code one at a time. Which of them does no test notice?
#
#   make mutants FILES='common/socket.cc 02_epoll_reactor/reactor.cc' N=0    all of these two files
#   make mutants SEED=2                                                      another sample
#   make mutants KIND=constant N=0                                           every constant there is

N    ?= 40
SEED ?= 1
REACH = $(BUILD)/mutants/reach.json

.PHONY: mutants mutants-quick mutants-reach mutants-test mutants-deps
mutants: deps mutants-deps $(REACH)  ## faults that no test notices, N=40 of each file (FILES=, SEED=, KIND=); takes hours
	@$(PYTHON) -B -m tests.mutants.run --number '$(N)' --seed '$(SEED)' --kind '$(KIND)' $(FILES)

# A survivor is run against the tests that reach its line. This says which: a black-box run of a
# build that counts lines. It need not be new: lines that have moved are found again. But a test that
# was added since is run only where this is made anew.
mutants-reach: deps coverage-deps  ## note anew which black-box test reaches which line
	@rm -rf $(BUILD)/mutants/reach
	@$(COVERAGE_MAKE) all
	@LAB_STAGES= LAB_BIN=$(COVERAGE_BUILD) $(PYTEST) -p tests.mutants.reach -n $(BLACKBOX_JOBS) \
	  -m 'not repository or calls' tests/blackbox --ignore tests/blackbox/test_survive_valgrind.py || [ $$? = 1 ]
	@$(PYTHON) -B -m tests.mutants.reach
$(REACH):
	@$(MAKE) --no-print-directory mutants-reach

mutants-deps:
	@tests/mutants/deps.sh

CHECKS += mutants-quick mutants-test
mutants-quick: deps mutants-deps  ## some mutants of common/ against the unit tests and stage 2
	$(call build,,all $(OBJ)/tests/unit/unit $(OBJ)/tests/unit/allocation)
	@$(PYTHON) -B -m tests.mutants.run --quick --number 20

mutants-test: deps mutants-deps  ## tests of what makes mutants and judges them
	@$(PYTEST) tests/mutants
