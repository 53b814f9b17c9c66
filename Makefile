# The reactor lab. `make help` lists what can be made.
#
#   SAN=address,undefined   build with sanitizers, into a folder of its own
#   CXX=clang++             build with another compiler
#   WERROR=1                a warning is an error: for CI, not for next year's compiler

CXX       ?= g++
BUILD     := build
STAGES    := 01_plain_epoll 02_epoll_reactor 03_libevent_raw 04_bufferevent_http
# The interpreter that Debian's python3-pytest belongs to, whatever else stands first on PATH.
PYTHON    := $(firstword $(wildcard /usr/bin/python3) python3)
unexport PYTHONOPTIMIZE PYTHONSAFEPATH

# Objects live in a folder per compiler ("ccache g++" is ccache-g++) and sanitizer; so do binaries,
# but those of the plain build, which are build/01_plain_epoll and so on.
comma     := ,
CXX_NAME  := $(subst $() ,-,$(notdir $(CXX)))
VARIANT   := $(CXX_NAME)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
OBJ       := $(BUILD)/obj/$(VARIANT)
BINS      := $(if $(SAN),$(BUILD)/bin-$(VARIANT),$(BUILD))

WARNINGS  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(WERROR),-Werror)
# With sanitizers -O1, as their manuals say: -O2 compiles half as long again, and runs no faster.
CXXFLAGS  ?= $(if $(SAN),-O1,-O2) -g
# Without vptr: that check wants a pipe, and calls an object wrong where no descriptor is left.
# _GLIBCXX_ASSERTIONS: an index beyond a string_view's end may still be inside its block.
ALL_FLAGS := -std=c++20 $(WARNINGS) $(CXXFLAGS) -pthread -I. -I$(OBJ)/gen \
             $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize=vptr -fno-sanitize-recover=all \
               -D_GLIBCXX_ASSERTIONS -fno-omit-frame-pointer)
# Asked for when first used, and once: `make deps` may have to install pkg-config first.
once         = $(eval $(1) := $(shell $(2)))$($(1))
EVENT_CFLAGS = $(call once,EVENT_CFLAGS,pkg-config --cflags libevent_core)
EVENT_LIBS   = $(call once,EVENT_LIBS,pkg-config --libs libevent_core)
HTTP_LIBS    = $(call once,HTTP_LIBS,pkg-config --libs libevent_core libevent_extra)

COMMON_OBJ := $(patsubst %.cc,$(OBJ)/%.o,$(wildcard common/*.cc))
BINARIES   := $(STAGES:%=$(BINS)/%) $(BINS)/evhttp_server $(BINS)/evhttp_client

.PHONY: all
all: $(BINARIES)  ## build the four stages, evhttp_server and evhttp_client; make alone does this

$(BINS)/01_plain_epoll: $(OBJ)/01_plain_epoll/server.o
$(BINS)/02_epoll_reactor: $(OBJ)/02_epoll_reactor/server.o $(OBJ)/02_epoll_reactor/reactor.o
$(BINS)/03_libevent_raw: $(OBJ)/03_libevent_raw/server.o $(OBJ)/03_libevent_raw/base.o
$(BINS)/04_bufferevent_http: $(OBJ)/04_bufferevent_http/server.o $(OBJ)/03_libevent_raw/base.o
$(BINS)/03_libevent_raw $(BINS)/04_bufferevent_http: LIBS = $(EVENT_LIBS)
$(BINS)/evhttp_server: $(addprefix $(OBJ)/,04_bufferevent_http/evhttp_server.o \
  04_bufferevent_http/evhttp_message.o 04_bufferevent_http/guard.o \
  04_bufferevent_http/upper_rpc.o 03_libevent_raw/base.o)
$(BINS)/evhttp_client: $(addprefix $(OBJ)/,04_bufferevent_http/evhttp_client.o \
  04_bufferevent_http/command.o 04_bufferevent_http/evhttp_message.o \
  04_bufferevent_http/response_head.o \
  04_bufferevent_http/upper_rpc.o 03_libevent_raw/base.o)
$(BINS)/evhttp_server $(BINS)/evhttp_client: LIBS = $(HTTP_LIBS)

$(BINARIES): $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(LIBS)

# Only what knows libevent is told where it is.
$(OBJ)/03_% $(OBJ)/04_% $(OBJ)/tests/bench/floor/%: WITH = $(EVENT_CFLAGS)

$(OBJ)/%.o: %.cc $(OBJ)/flags
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) $(WITH) -MMD -MP -c -o $@ $<

# Written anew only when the flags are others: then all is compiled anew. What is an error changes
# no object.
FLAGS_LINE = $(CXX) $(filter-out -Werror,$(ALL_FLAGS))
$(OBJ)/flags: always
	@mkdir -p $(@D)
	@echo '$(FLAGS_LINE)' | cmp -s - $@ || echo '$(FLAGS_LINE)' > $@
.PHONY: always

# The page becomes a string literal.
$(OBJ)/gen/page.inc: common/page.html
	@mkdir -p $(@D)
	@{ printf 'R"html('; cat $<; printf ')html"\n'; } > $@
$(OBJ)/common/serve.o: $(OBJ)/gen/page.inc

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# ---- run ----------------------------------------------------------------------------------------

.PHONY: demo run-01 run-02 run-03 run-04 run-05
demo: deps  ## play one conversation against all four stages and compare the answers
	$(call build)
	@$(PYTHON) -m tests.demo.demo

run-01: $(BINS)/01_plain_epoll  ## run stage 1 on its own ports (7001 and 8001); Ctrl-C ends it
run-02: $(BINS)/02_epoll_reactor  ## run stage 2 (7002 and 8002)
run-03: $(BINS)/03_libevent_raw  ## run stage 3 (7003 and 8003)
run-04: $(BINS)/04_bufferevent_http  ## run stage 4 (7004 and 8004)
run-05: $(BINS)/evhttp_server  ## run evhttp_server (HTTP only, 8005)
run-01 run-02 run-03 run-04 run-05:
	@exec $< $(ARGS)

# ---- test ---------------------------------------------------------------------------------------

ASAN   := address,undefined
JOBS   := $(shell nproc 2>/dev/null || echo 2)
PYTEST := LAB_LANG=en PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 $(PYTHON) -m pytest -p no:cacheprovider \
  -p tests.skips -q -rs
# The folder of a build with the sanitizers $(1), and what builds it: $(2), or all. One at a time:
# two checks may want the same objects.
bin_of  = $(BUILD)/$(if $(1),bin-$(CXX_NAME)-$(subst $(comma),-,$(1)))
alone   = @mkdir -p $(BUILD); [ ! -t 2 ] || flock -n $(BUILD)/lock true || \
          echo 'another make builds here: waiting for it' >&2; flock -o $(BUILD)/lock
build   = $(alone) $(MAKE) --no-print-directory -s -j$(JOBS) SAN=$(1) $(or $(2),all)
# What `make test` runs, two at a time, because tests wait as often as they compute. The folders
# under tests/ add theirs.
CHECKS := unit blackbox tsan
AT_ONCE ?= $(if $(filter 1,$(JOBS)),1,2)

.PHONY: test asan
test: deps  ## all tests, most of them built with ASan and UBSan, some with TSan (AT_ONCE=1: one by one)
	@rm -rf $(BUILD)/test
	@printf '%s\n' $(CHECKS) | xargs -P $(AT_ONCE) -I@ $(MAKE) --no-print-directory checked-@ || \
	  { cd $(BUILD)/test; for check in $$(cat failed); do echo "== how $$check ended"; tail -n 15 $$check.log; done; \
	    echo "FAILED:" $$(cat failed); exit 1; }

# What a check prints comes in one piece, when it has ended. (Its name is no variable: a make that a
# test runs would be told it, too.)
checked-%:
	@mkdir -p $(BUILD)/test; began=$$(date +%s); echo "== make $*"; \
	if $(MAKE) --no-print-directory $* > $(BUILD)/test/$*.log 2>&1; then did=passed; \
	else did=FAILED; echo $* >> $(BUILD)/test/failed; fi; \
	cat $(BUILD)/test/$*.log; \
	echo "== make $* $$did in $$(($$(date +%s) - began)) s"; [ $$did = passed ]

asan: unit  ## unit and black-box tests alone, with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory blackbox

include $(sort $(wildcard tests/*/*.mk))

# ---- keep ---------------------------------------------------------------------------------------

SOURCES := $(sort $(shell find 0*_* common notes tests -name '*.h' -o -name '*.cc' 2>/dev/null))

.PHONY: format format-check tidy deps clean help compile_commands.json
format:  ## format all C++ sources
	@clang-format -i $(SOURCES)
format-check: deps  ## fail where a source is not formatted
	@clang-format --dry-run -Werror $(SOURCES)

tidy: deps $(OBJ)/gen/page.inc  ## clang-tidy on the stages, common/ and the steps
	@printf '%s\n' $(wildcard 0*_*/*.cc common/*.cc notes/steps/*.cc) | xargs -P 2 -n 3 sh -c \
	  'clang-tidy --quiet "$$@" -- -std=c++20 -I. -I$(OBJ)/gen $(EVENT_CFLAGS) 2>/dev/null' tidy

compile_commands.json: $(OBJ)/gen/page.inc  ## for editors and language servers
	@$(PYTHON) -m tests.compile_commands '$(CXX) $(ALL_FLAGS) $(EVENT_CFLAGS)' $(SOURCES) > $@

deps:  ## install what is missing: libevent, GoogleTest, pytest, strace and so on
	@tests/deps.sh

clean:  ## remove all output
	rm -rf $(BUILD) compile_commands.json

help:  ## list the targets
	@sed -n 's/^\([a-z0-9_.%-]*\):[^=]*  ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort -u | \
	  awk -F'\t' '{ printf "  %-22s %s\n", $$1, $$2 }'
