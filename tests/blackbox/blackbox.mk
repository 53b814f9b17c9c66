# Black-box tests: pytest against the four binaries.
#
#   make blackbox K=drain           tests whose name holds "drain" (pytest -k)
#   make blackbox STAGES_TESTED=03  one stage, by what it does: a change to it may look as it likes
#   make blackbox BLACKBOX_SAN=     against the plain build

BLACKBOX_SAN  ?= $(ASAN)
BLACKBOX_JOBS ?= 3
K             ?=
STAGES_TESTED ?=

PYTEST_BLACKBOX = LAB_STAGES='$(STAGES_TESTED)' $(PYTEST) -n $(BLACKBOX_JOBS) $(if $(K),-k '$(K)') \
  $(if $(STAGES_TESTED),-m 'not repository') tests/blackbox

# Measurements, strace and valgrind want a build without sanitizers, so there are two.
.PHONY: blackbox tsan
blackbox: deps  ## black-box tests against all stages, built with ASan and UBSan (K=, STAGES_TESTED=)
	$(call build,$(BLACKBOX_SAN))
	$(call build)
	@LAB_BIN=$(call bin_of,$(BLACKBOX_SAN)) $(PYTEST_BLACKBOX)

tsan: deps  ## the tests marked `threads`, with four loops per server, under ThreadSanitizer
	$(call build,thread)
	$(call build)
	@LAB_BIN=$(call bin_of,thread) $(PYTEST_BLACKBOX) -m threads --threads 4
