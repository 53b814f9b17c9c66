# Fuzzing with libFuzzer, and h11 as a second opinion.

FUZZ_TARGETS := parser chunked scan steps options session
FUZZ_SAN     := address,undefined,fuzzer-no-link
# Without what a session knows nothing of; options_fuzz brings options.cc and command_line.cc itself.
FUZZ_OBJ      = $(filter-out $(addprefix %/,admission.o command_line.o options.o process.o serve.o \
                  socket.o worker.o),$(COMMON_OBJ))
FUZZ_SECONDS  = $(or $(SECONDS),20)

.PHONY: fuzz fuzz-ci fuzz-build fuzz-test
fuzz: deps  ## libFuzzer (clang) on each target for SECONDS=20; what it finds is in build/fuzz
	@$(MAKE) --no-print-directory -s -j$(JOBS) CXX=clang++ SAN=$(FUZZ_SAN) FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-build
fuzz-ci: fuzz  ## what CI runs: 20 s each

# Two at a time. The first corpus folder gets what is new, the committed one is only read.
fuzz-build: $(FUZZ_TARGETS:%=$(BINS)/%_fuzz)
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I@ $(PYTHON) -m tests.harness tests/fuzz/run.sh $(BINS)/@_fuzz @ $(FUZZ_SECONDS)

$(BINS)/%_fuzz: $(OBJ)/tests/fuzz/%_fuzz.o $(FUZZ_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -fsanitize=fuzzer $(FUZZ_LINK) -o $@ $^
$(BINS)/session_fuzz: FUZZ_LINK = -Wl,--wrap=time
.SECONDARY: $(FUZZ_TARGETS:%=$(OBJ)/tests/fuzz/%_fuzz.o)

# The parser three times, by steps of 1, 8 and 16 bytes, each in a namespace of its own.
STEPS := $(foreach n,1 8 16,$(OBJ)/tests/fuzz/steps_parser_$(n).o)
$(STEPS): $(OBJ)/tests/fuzz/steps_parser_%.o: tests/fuzz/steps_parser.cc $(OBJ)/flags
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -DPARSER=by_step$* -DLAB_STEP=Step$* -MMD -MP -c -o $@ $<
$(BINS)/steps_fuzz: $(STEPS)

# A session behind stdin and stdout: everything but the routes.
$(BINS)/session_cli: $(OBJ)/tests/fuzz/session_cli.o $(filter-out %/routes.o,$(FUZZ_OBJ))
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^

CHECKS += fuzz-test
fuzz-test: deps  ## the parser against Python's h11: who accepts what, and what they read in it
	$(call build,$(ASAN),fuzz-test-here)
.PHONY: fuzz-test-here
fuzz-test-here: $(BINS)/session_cli
	@LAB_BIN=$(BINS) $(PYTEST) tests/fuzz
