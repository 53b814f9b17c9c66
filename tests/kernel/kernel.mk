# The experiments of notes/kernel.md: a program each; with strace, or a stage, a script that runs it.

KERNEL   := $(patsubst notes/%.cc,$(BIN)/%,$(wildcard notes/kernel/*.cc))
SCRIPTS  := $(wildcard notes/kernel/*.py)
PROGRAM   = $(filter %/kernel/$(X),$(KERNEL))
SCRIPT    = $(filter %/$(X).py,$(SCRIPTS))

.PHONY: kernel
kernel: $(PROGRAM) $(if $(SCRIPT),all)  ## X=send: an experiment of notes/kernel.md
	@$(if $(SCRIPT),LAB_BIN=$(BIN) $(PYTHON) -B -m $(subst /,.,$(basename $(SCRIPT))),$(or $(PROGRAM),\
	  echo 'make kernel X=NAME: $(sort $(basename $(notdir $(KERNEL) $(SCRIPTS))))' >&2; false))

$(KERNEL): $(BIN)/%: $(OBJ)/notes/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^
