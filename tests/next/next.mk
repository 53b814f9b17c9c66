# The programs of notes/next/, which are outside the four stages, and the servers that notes/stuck.md
# finds stuck. What needs a package that this machine has not is left out.

NEXT   := coroutine $(if $(wildcard /usr/include/liburing.h),uring) \
          $(if $(wildcard /usr/include/openssl/ssl.h),tls)
BROKEN := starves leaks

.PHONY: next all-next all-next-broken next-check next-deps stuck all-stuck
next: deps next-deps  ## X=uring, coroutine or tls: what a program of notes/where_next.md does
	$(call build,,all-next all-steps)
	@$(PYTHON) -m tests.next.programs $(X)

notes: all-next
all-next: $(addprefix $(BINS)/next/,$(NEXT))

$(BINS)/next/uring $(BINS)/next/uring_broken: LIBS = -luring
$(BINS)/next/tls $(BINS)/next/tls_broken: LIBS = -levent_openssl $(EVENT_LIBS) -lssl -lcrypto
$(BINS)/next/%: $(OBJ)/notes/next/%.o $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(LIBS)

# What the check must reject: tests/next/uring.patch and so on.
all-next-broken: $(NEXT:%=$(BINS)/next/%_broken)
$(OBJ)/notes/next/%_broken.o: $(OBJ)/gen/%_broken.cc $(OBJ)/flags
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -c -o $@ $<
$(OBJ)/gen/%_broken.cc: notes/next/%.cc tests/next/%.patch
	@mkdir -p $(@D)
	@patch --silent --output=$@ $^

CHECKS += next-check
next-check: deps next-deps  ## do they pass the conversations of the text port?
	$(call build,$(ASAN),all-next all-next-broken)
	$(call build,,all-next all-steps all-stuck)
	@LAB_BIN=$(call bin_of,$(ASAN)) $(PYTEST) -n 4 tests/next

next-deps:
	@tests/next/deps.sh || echo 'what needs it is skipped'

stuck: deps next-deps  ## X=nobody, spins, starves, unread or leaks: a server that is stuck (notes/stuck.md)
	$(call build,,all-steps all-stuck)
	@$(PYTHON) -m tests.next.stuck $(X) $(ARGS)

all-stuck: $(BROKEN:%=$(BINS)/stuck/%)
$(OBJ)/gen/starves.cc: notes/steps/6_fresh_clock.cc
$(OBJ)/gen/leaks.cc: notes/steps/3_what_is_left.cc
$(BROKEN:%=$(OBJ)/gen/%.cc): $(OBJ)/gen/%.cc: notes/next/%.patch
	@mkdir -p $(@D)
	@patch --silent --output=$@ $(filter %.cc,$^) $<
$(BROKEN:%=$(BINS)/stuck/%): $(BINS)/stuck/%: $(OBJ)/gen/%.cc $(OBJ)/flags
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $<
