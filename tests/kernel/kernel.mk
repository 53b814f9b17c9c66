# The experiments of notes/kernel.md: a program each; with strace, or a stage, a script that runs it.

KERNEL   := $(patsubst notes/%.cc,$(BINS)/%,$(wildcard notes/kernel/*.cc))
SCRIPTS  := $(wildcard notes/kernel/*.py)
PROGRAM   = $(filter %/kernel/$(X),$(KERNEL))
SCRIPT    = $(filter %/$(X).py,$(SCRIPTS))

.PHONY: kernel
kernel: $(PROGRAM) $(if $(SCRIPT),all)  ## X=send: an experiment of notes/kernel.md
	@$(if $(SCRIPT),LAB_BIN=$(BINS) $(PYTHON) -B -m $(subst /,.,$(basename $(SCRIPT))),$(or $(PROGRAM),\
	  echo 'make kernel X=NAME: $(sort $(basename $(notdir $(KERNEL) $(SCRIPTS))))' >&2; false))

$(KERNEL): $(BINS)/%: $(OBJ)/notes/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^
