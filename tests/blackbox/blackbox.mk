# Black-box tests: pytest against the four binaries.
#
#   make blackbox K=drain           tests whose name holds "drain" (pytest -k)
#   make blackbox STAGES_TESTED=03  one stage
#   make blackbox BLACKBOX_SAN=     against the plain build

BLACKBOX_SAN  ?= $(ASAN)
BLACKBOX_JOBS ?= 2
K             ?=
STAGES_TESTED ?=

# The folder of a build with the sanitizers $(1): what BIN is in a make with SAN=$(1).
bin_of = $(BUILD)/$(if $(1),bin-$(notdir $(CXX))-$(subst $(comma),-,$(1)))
stages_of = $(STAGES:%=$(call bin_of,$(1))/%)
PYTEST_BLACKBOX = LAB_STAGES='$(STAGES_TESTED)' PYTHONDONTWRITEBYTECODE=1 \
                  $(PYTEST) -q -n $(BLACKBOX_JOBS) $(if $(K),-k '$(K)') tests/blackbox

.PHONY: blackbox tsan
blackbox: deps  ## black-box tests against all four stages, built with ASan and UBSan (K=, STAGES_TESTED=)
	@$(MAKE) --no-print-directory -s SAN=$(BLACKBOX_SAN) $(call stages_of,$(BLACKBOX_SAN))
	@LAB_BIN=$(call bin_of,$(BLACKBOX_SAN)) $(PYTEST_BLACKBOX)

tsan: deps  ## the tests marked `threads`, with four loops per server, under ThreadSanitizer
	@$(MAKE) --no-print-directory -s SAN=thread $(call stages_of,thread)
	@LAB_BIN=$(call bin_of,thread) $(PYTEST_BLACKBOX) -m threads --threads 4
