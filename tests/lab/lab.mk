# The lab: students build the loops themselves, and are told what works. See tests/lab/checkpoints.toml.

# ---- checking (tests/lab/check.py) ---------------------------------------------------------------
#
#   make lab-check BIN='./mine --text-port 0' CP=3    any program: checkpoints 0.1 to 0.3
#   make lab-check DIR=mine STAGE=01 ALL=1            a folder of lab-start; goes on after a failure
#   make lab-check DIR=mine CHECK=steps/3             that check alone, for no points
#
# What a command line says is quoted by the environment, which make hands on.

LAB_CHECK = $(PYTHON) -B -m tests.lab.check
LAB_WORK  = $(if $(BIN),--bin "$$BIN") $(if $(DIR),--dir "$$DIR") $(if $(STAGE),--stage "$$STAGE") \
  $(if $(CP),--cp "$$CP") $(if $(CHECK),--check "$$CHECK") $(if $(ALL),--all)

.PHONY: lab-check lab-watch lab-list lab-full lab-test
lab-check: deps  ## check your server: BIN='./mine --text-port 0', or DIR=mine [STAGE=01] [CP=3] [CHECK=steps/3] [ALL=1]
	@$(LAB_CHECK) run $(LAB_WORK)
lab-watch: deps  ## lab-check again and again: whenever you change a file
	@$(LAB_CHECK) watch $(LAB_WORK)
lab-list:  ## which checkpoints DIR= (or BIN=) has solved
	@$(LAB_CHECK) list $(LAB_WORK)
lab-full: deps  ## all black-box tests against DIR= [STAGE=01]: two minutes
	@$(LAB_CHECK) full $(LAB_WORK)

# ---- looking at it (tests/lab/trace.py) ----------------------------------------------------------

.PHONY: lab-trace
lab-trace: deps  ## your server's system calls in a check, explained: DIR= or BIN=, CHECK=steps/3
	@$(PYTHON) -B -m tests.lab.trace $(or $(CHECK),$(error CHECK=steps/3: which conversation?)) \
	  $(if $(BIN),--bin "$$BIN") $(if $(DIR),--dir "$$DIR") $(if $(STAGE),--stage "$$STAGE")

CHECKS += lab-test
lab-test: deps  ## does the lab say what is wrong, and end what it started?
	$(call build,$(ASAN),$(addprefix $(call bin_of,$(ASAN))/,01_plain_epoll 02_epoll_reactor))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) -n 6 $(addprefix --ignore tests/lab/,test_grade.py test_autograder.py) tests/lab

# ---- starting (tests/lab/start.py) ---------------------------------------------------------------

.PHONY: lab-start lab-release
lab-start:  ## DIR=~/lab [STAGE=02] [FROM=3]: a folder for you to build that stage in
	@$(if $(DIR),,$(error say where: make lab-start DIR=~/lab))$(PYTHON) -B -m tests.lab.start \
	  "$$DIR" $(if $(STAGE),--stage "$$STAGE") $(if $(FROM),--from "$$FROM")
lab-release:  ## DIR=out CP=3 [STAGE=01]: for teachers, the students' files as they are after that checkpoint
	@$(if $(DIR),,$(error say where: make lab-release DIR=out CP=3))$(PYTHON) -B -m tests.lab.start \
	  "$$DIR" $(if $(STAGE),--stage "$$STAGE") --release "$$CP"

# ---- true? (tests/lab/matrix.py) -----------------------------------------------------------------

.PHONY: lab-matrix lab-matrix-quick
CHECKS += lab-matrix-quick
lab-matrix-quick: deps  ## with the reference up to K, are K's conversations passed, and the next ones failed?
	$(call build)
	@$(PYTHON) -B -m tests.lab.matrix --quick
lab-matrix: deps  ## lab-matrix-quick by all checks of 0 to K+1; and where is each broken server caught? Half an hour
	$(call build)
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTHON) -B -m tests.lab.matrix

# ---- handing out (tests/lab/handout.py) ----------------------------------------------------------

.PHONY: handout
handout:  ## for teachers: this tree without what students write, build/handout.tar.gz and handout.git
	@$(PYTHON) -B -m tests.lab.handout

# ---- grading (tests/lab/grade.py) ----------------------------------------------------------------
#
#   make lab-grade DIR=handed_in OUT=results STAGE=01 FORMAT=gradescope,junit WITHIN=540
#
# UNSAFE=1 runs the student's code without a sandbox. What is built already (make SAN=address,undefined)
# is not compiled again: do so once where many are graded.

LAB_GRADE = $(PYTHON) -B -m tests.lab.grade --dir "$$DIR" --out "$$OUT" \
  $(if $(STAGE),--stage "$$STAGE") $(if $(FORMAT),--format "$$FORMAT") \
  $(if $(WITHIN),--within "$$WITHIN") $(if $(UNSAFE),--unsafe)

.PHONY: lab-grade lab-deps lab-grade-test
lab-grade:  ## grade what a student handed in, in a sandbox: DIR= OUT= [STAGE=01] [FORMAT=text,junit,gradescope,autolab,classroom50] [WITHIN=seconds]
	$(if $(and $(DIR),$(OUT)),,$(error DIR= is what was handed in, OUT= the folder of the results))
	@$(LAB_GRADE)
lab-deps: deps  ## install what lab-grade needs
	@tests/lab/deps.sh

# Not one of `make test`: it wants bubblewrap, which no student needs.
lab-grade-test: lab-deps  ## does a submission that means harm get its points, and do none? (K= as in blackbox)
	$(call build,$(ASAN),$(call bin_of,$(ASAN))/01_plain_epoll)
	$(call build,,$(BUILD)/01_plain_epoll)
	@$(PYTEST) -n 4 $(if $(K),-k '$(K)') tests/lab/test_grade.py

# ---- for a grading system (tests/lab/bundle.py) --------------------------------------------------

.PHONY: autograder-gradescope autograder-autolab autograder-test
autograder-gradescope autograder-autolab:  # for teachers: build/autograder-gradescope.zip, or Autolab's two files [STAGE=01]
	@$(PYTHON) -B -m tests.lab.bundle $(@:autograder-%=%) $(if $(STAGE),--stage "$$STAGE")
autograder-test: lab-deps  ## both bundles, run in a clean folder as those systems run them; takes ten minutes
	@$(PYTEST) tests/lab/test_autograder.py
