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
# Measurements, strace and valgrind want a build without sanitizers, so there are two.
build_for_tests = @for san in '' $(1); do \
                     $(MAKE) --no-print-directory -s SAN=$$san all || exit 1; done
PYTEST_BLACKBOX = LAB_STAGES='$(STAGES_TESTED)' PYTHONDONTWRITEBYTECODE=1 \
                  $(PYTEST) -q -n $(BLACKBOX_JOBS) $(if $(K),-k '$(K)') tests/blackbox

.PHONY: blackbox tsan
blackbox: deps  ## black-box tests against all stages, built with ASan and UBSan (K=, STAGES_TESTED=)
	$(call build_for_tests,$(BLACKBOX_SAN))
	@LAB_BIN=$(call bin_of,$(BLACKBOX_SAN)) $(PYTEST_BLACKBOX)

tsan: deps  ## the tests marked `threads`, with four loops per server, under ThreadSanitizer
	$(call build_for_tests,thread)
	@LAB_BIN=$(call bin_of,thread) $(PYTEST_BLACKBOX) -m threads --threads 4
