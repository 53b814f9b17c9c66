# Another architecture: char is unsigned, memory is ordered more weakly, and no cast that is right
# by luck is right twice. Compiled across and run under qemu-user, which knows epoll and signalfd.

ARM64     := $(BUILD)/arm64
ARM64_LIB := $(ARM64)/usr/lib/aarch64-linux-gnu
QEMU      := qemu-aarch64-static -L $(CURDIR)/$(ARM64)

.PHONY: arm64 arm64-build
arm64-build: deps
	@tests/arm64/deps.sh
	@tests/arm64/sysroot.sh $(ARM64)
	@$(MAKE) --no-print-directory -s -j$(JOBS) SAN= BUILD=$(ARM64)/build CXX=aarch64-linux-gnu-g++ \
	  CXXFLAGS='-O1 -L$(ARM64_LIB) -Wl,-rpath-link,$(ARM64_LIB)' \
	  all $(ARM64)/build/obj/aarch64-linux-gnu-g++/tests/unit/unit
arm64: arm64-build  ## unit tests and the rules of HTTP on arm64, under qemu
	@$(QEMU) $(ARM64)/build/obj/aarch64-linux-gnu-g++/tests/unit/unit --gtest_brief=1
	@for program in $(notdir $(BINARIES)); do \
	  printf '#!/bin/sh\nexec %s "$$@"\n' "$(QEMU) $(CURDIR)/$(ARM64)/build/$$program" \
	    > $(ARM64)/$$program; chmod +x $(ARM64)/$$program; done
	@LAB_BIN=$(ARM64) $(PYTEST) -n $(JOBS) tests/blackbox/test_http_rules.py
