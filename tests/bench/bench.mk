# Measuring: servers against each other, the parser against its peer, counts against a record.
#
#   make bench BENCH='--rounds 9 --only 02'   other flags of tests.bench.bench

FLOORS     := $(patsubst tests/bench/floor/%.cc,$(BINS)/floor_%,$(wildcard tests/bench/floor/*.cc))
BENCH      ?=

# Always the same compiler and flags, whatever the rest is built with: the counts are compared. In a
# folder of their own: `build/` may hold what another compiler made.
BENCH_MAKE  = $(MAKE) --no-print-directory -s -j$(JOBS) CXX=g++ CXXFLAGS='-O2 -g' SAN=
COUNTED    := $(BUILD)/counted

.PHONY: bench bench-quick bench-parser bench-peers bench-cold bench-check bench-record bench-show \
  bench-test bench-deps
bench: all $(FLOORS)  ## CPU, calls and memory per request of every stage, its floor, nginx (BENCH='flags')
	@$(PYTHON) -m tests.bench.bench $(BENCH)
bench-quick: all $(FLOORS)  ## make bench in under a minute: fewer servers, fewer rounds
	@$(PYTHON) -m tests.bench.bench --quick $(BENCH)

bench-parser: bench-deps  ## time of parser, upper-casing and session, with http-parser beside them
	$(alone) $(BENCH_MAKE) $(BUILD)/parser_bench
	@$(BUILD)/parser_bench $(BENCH)

# libh2o, which has picohttpparser in it, is not in every Debian.
PEERS      := ours http_parser llhttp $(if $(wildcard /usr/lib/*/libh2o.so),picohttpparser)
bench-peers: bench-deps  ## what the parser refuses, allocates and costs, and what three others do
	$(alone) $(BENCH_MAKE) BINS=$(COUNTED) $(PEERS:%=$(COUNTED)/peer_%)
	@LAB_BIN=$(COUNTED) $(PYTHON) -m tests.bench.peers $(PEERS)

bench-cold:  ## is it dear that code is cold when a request comes? An experiment of performance.md
	$(alone) $(BENCH_MAKE) BINS=$(COUNTED) $(COUNTED)/cold
	@$(COUNTED)/cold

CHECKS += bench-check bench-test
counts     = $(alone) $(BENCH_MAKE) BINS=$(COUNTED) counted; for what in instructions requests; do \
  LAB_BIN=$(COUNTED) $(PYTHON) -m tests.bench.$$what $(1) || exit 1; done
bench-check: deps  ## fail where a request, or the core, costs over 2 % more than on record
	$(call counts,check)
bench-record: deps  ## count anew, and write tests/bench/instructions.txt and requests.txt
	$(call counts,record)

bench-show:  ## instructions, calls and cache lines of code per request: what is on record
	@$(PYTHON) -B -m tests.bench.requests show

.PHONY: counted
counted: $(STAGES:%=$(BINS)/%) $(FLOORS) $(BINS)/instructions

bench-test: deps  ## tests of the measuring tools themselves
	$(call build,$(SAN),all $(FLOORS) $(BINS)/peer_ours)
	@LAB_BIN=$(BINS) $(PYTEST) tests/bench

bench-deps:  ## install what only measuring needs: wrk, nginx, lighttpd, Google Benchmark ...
	@tests/bench/deps.sh

$(BINS)/floor_%: $(OBJ)/tests/bench/floor/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(EVENT_LIBS)
$(BINS)/parser_bench: LIBS = -lbenchmark -lhttp_parser
$(BINS)/parser_bench $(BINS)/instructions $(BINS)/cold: $(BINS)/%: $(OBJ)/tests/bench/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(LIBS)

LLHTTP     := $(patsubst %,$(OBJ)/llhttp/%.o,api http llhttp)
$(OBJ)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	gcc -O2 -g -I/usr/share/include/llhttp -c -o $@ $<
$(BINS)/peer_llhttp: $(LLHTTP)
$(BINS)/peer_http_parser: LIBS = -lhttp_parser
$(BINS)/peer_picohttpparser: LIBS = -lh2o
$(BINS)/peer_%: $(OBJ)/tests/bench/peers/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(LIBS)
