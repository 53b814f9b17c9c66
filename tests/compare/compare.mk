# Comparing stages. The commands behind these targets: python3 -m tests.compare.compare --help

COMPARE := $(PYTHON) -m tests.compare.compare
COMPARE_FLAGS = $(if $(CONV),--conv '$(CONV)') $(if $(JSON),--json)

# A=mine is the server.cc in DIR=, with what else of C++ lies beside it; headers, too, if the folder
# is called as the stage is.
MINE       = $(abspath $(DIR))
STAGE_A    = $(if $(filter mine,$(A)),$(or $(MINE),$(error A=mine: where is it? DIR=folder)),$(A))
MINE_FLAGS = $(if $(DIR),--binary '$(MINE)=$(BUILD)/mine')

.PHONY: diff trace conversations compare-test
diff: deps  ## all conversations, all stages; A=01 B=02 [CONV=keepalive]: what differs (A=mine DIR=: yours)
	$(call build,,all $(if $(DIR),$(BUILD)/mine))
	@$(COMPARE) $(if $(A)$(B),pair $(STAGE_A) $(B) $(MINE_FLAGS),all) $(COMPARE_FLAGS)

# What the stages have beside their server.cc; out of an archive the linker takes what is missing.
$(OBJ)/stages.a: $(OBJ)/02_epoll_reactor/reactor.o $(OBJ)/03_libevent_raw/base.o
	@rm -f $@
	@ar rcs $@ $^

# Beside stage 4's server.cc lies evhttp, with a main of its own in two files: no part of the stage.
OF_EVHTTP = $(filter-out %/server.cc,$(patsubst 04_bufferevent_http/%,$(MINE)/%,$(wildcard 04_bufferevent_http/*.cc)))

ifneq ($(DIR),)
$(BINS)/mine: $(patsubst $(MINE)/%.cc,$(OBJ)/mine/%.o,$(filter-out $(OF_EVHTTP),$(wildcard $(MINE)/*.cc))) $(COMMON_OBJ) $(OBJ)/stages.a
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(HTTP_LIBS)
$(BUILD)/beside: always
	@rm -rf $@ && mkdir -p $@ && ln -s $(MINE) $@/$(notdir $(MINE))
$(OBJ)/mine/%.o: $(MINE)/%.cc $(BUILD)/beside
	@mkdir -p $(@D)
	$(CXX) -I$(BUILD)/beside $(ALL_FLAGS) $(EVENT_CFLAGS) -c -o $@ $<
endif

trace: deps  ## explain the system calls of one stage: STAGE=03 CONV=keepalive
	$(call build)
	@$(COMPARE) trace $(or $(STAGE),01) $(COMPARE_FLAGS)

conversations:  ## what CONV= may name
	@$(COMPARE) list

CHECKS += compare-test
compare-test: deps  ## play all conversations against all stages; test the comparison
	$(call build,$(ASAN))
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) tests/compare
