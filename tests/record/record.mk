# Recordings of conversations, for the player: what a server does, step by step.
#
#   make record STAGE=02-eager CONV=keepalive         one of them; STAGE is one of `make recorded`
#   make record STAGE=02 CONV=keepalive DIR=~/lab     the server.cc in a folder of one's own
#   make record STAGE=02 CONV=keepalive BINARY=./mine a program that is built already, with -g

RECORD := $(PYTHON) -m tests.record.record
# A build of its own: each function says when it is entered, and none is inlined. By g++: without
# optimizing, clang 14 does not link what it makes of libstdc++ 12.
RECORD_BUILD := $(BUILD)/record
RECORD_FLAGS := -O0 -g -finstrument-functions
RECORD_MAKE   = $(MAKE) --no-print-directory -s -j$(JOBS) BUILD=$(RECORD_BUILD) CXX=g++ SAN= \
                CXXFLAGS='$(RECORD_FLAGS)'
RECORDED      = $(patsubst %,$(RECORD_BUILD)/%,$(STAGES) evhttp_server)
RECORD_OWN    = $(or $(BINARY),$(if $(DIR),$(RECORD_BUILD)/mine))

.PHONY: record recordings recorded record-deps record-test
record: deps record-deps $(RECORD_BUILD)/recorder.so  ## record one server: STAGE=02 CONV=slow_reader (DIR=, BINARY=: yours)
	@$(RECORD_MAKE) $(RECORDED) $(if $(DIR),$(RECORD_BUILD)/mine)
	@$(RECORD) one $(or $(STAGE),01) $(or $(CONV),keepalive) $(if $(RECORD_OWN),--binary '$(RECORD_OWN)') \
	  --folder $(BUILD)/recordings

recordings: deps record-deps $(RECORD_BUILD)/recorder.so  ## record every server with every conversation, into build/recordings
	@$(RECORD_MAKE) $(RECORDED)
	@$(RECORD) all $(BUILD)/recordings

recorded:  ## what STAGE= of `make record` may name
	@$(RECORD) list

record-deps:
	@tests/record/deps.sh

$(RECORD_BUILD)/recorder.so: $(wildcard tests/record/*.cc tests/record/*.h)
	@mkdir -p $(@D)
	g++ -std=c++20 $(WARNINGS) -O2 -g -I. $(EVENT_CFLAGS) -shared -fPIC -o $@ $(filter %.cc,$^)

CHECKS += record-test
record-test: recordings  ## are recordings complete, true, and the same each time?
	@$(PYTEST) tests/record
