# Measuring: servers against each other, the parser against its peer, instructions against a record.
#
#   make bench BENCH='--rounds 9 --only 02'   other flags of tests.bench.bench

FLOORS     := $(patsubst tests/bench/floor/%.cc,$(BINS)/floor_%,$(wildcard tests/bench/floor/*.cc))
BENCH      ?=

# Always the same compiler and flags, whatever the rest is built with: the counts are compared.
BENCH_MAKE  = $(MAKE) --no-print-directory -s CXX=g++ CXXFLAGS='-O2 -g' SAN=

.PHONY: bench bench-quick bench-parser bench-check bench-record bench-test bench-deps
bench: all $(FLOORS)  ## CPU, calls and memory per request of every stage, its floor, nginx (BENCH='flags')
	@$(PYTHON) -m tests.bench.bench $(BENCH)
bench-quick: all $(FLOORS)  ## the same in under a minute: fewer servers, fewer rounds
	@$(PYTHON) -m tests.bench.bench --quick $(BENCH)

bench-parser: bench-deps  ## time of parser, upper-casing and session, with http-parser beside them
	$(alone) $(BENCH_MAKE) $(BUILD)/parser_bench
	@$(BUILD)/parser_bench $(BENCH)

CHECKS += bench-check bench-test
bench-check: deps  ## fail where parser or session need over 2 % more instructions than on record
	$(alone) $(BENCH_MAKE) $(BUILD)/instructions
	@$(PYTHON) -m tests.bench.instructions check $(BUILD)/instructions
bench-record: deps  ## count the instructions anew and write tests/bench/instructions.txt
	$(alone) $(BENCH_MAKE) $(BUILD)/instructions
	@$(PYTHON) -m tests.bench.instructions record $(BUILD)/instructions

bench-test: deps  ## tests of the measuring tools themselves
	$(call build,$(SAN),all $(FLOORS))
	@LAB_BIN=$(BINS) $(PYTEST) tests/bench

bench-deps:  ## install what only measuring needs: wrk, nginx, lighttpd, Google Benchmark ...
	@tests/bench/deps.sh

$(BINS)/floor_%: $(OBJ)/tests/bench/floor/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(EVENT_LIBS)
$(BINS)/parser_bench: LIBS = -lbenchmark -lhttp_parser
$(BINS)/parser_bench $(BINS)/instructions: $(BINS)/%: $(OBJ)/tests/bench/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(LIBS)
