# The steps of notes/steps/: each passes the conversations up to its own, and fails the next one.

STEPS := $(patsubst notes/steps/%.cc,%,$(sort $(wildcard notes/steps/*.cc)))
# What changes where a timer is added: notes/steps/6_fresh_clock.patch and so on.
TIMED := $(patsubst notes/steps/%.patch,%,$(sort $(wildcard notes/steps/*.patch)))

.PHONY: step all-steps steps
all-steps: $(STEPS:%=$(BINS)/steps/%) $(TIMED:%=$(BINS)/steps/%_timed)

$(STEPS:%=$(BINS)/steps/%): $(BINS)/steps/%: $(OBJ)/notes/steps/%.o
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $<

$(TIMED:%=$(OBJ)/gen/%_timed.cc): $(OBJ)/gen/%_timed.cc: notes/steps/%.cc notes/steps/%.patch
	@mkdir -p $(@D)
	@patch --silent --output=$@ $^

$(TIMED:%=$(BINS)/steps/%_timed): $(BINS)/steps/%_timed: $(OBJ)/gen/%_timed.cc $(OBJ)/flags
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $<

step: deps  ## N=3: the conversation that this step of notes/steps/ passes, and the one it fails
	$(call build,,all-steps)
	@$(PYTHON) -m tests.steps.steps $(N)

CHECKS += steps
steps: deps  ## does each step pass its conversations, and fail the next for the reason named?
	$(call build,$(ASAN),all-steps $(call bin_of,$(ASAN))/01_plain_epoll)
	$(call build,,all-steps $(BUILD)/01_plain_epoll)
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) -n 6 tests/steps  # most of them wait
