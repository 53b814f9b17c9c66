# Programs that call one of the student's functions, with what that is built from. Laid out beside
# the Makefile of the tree that is checked.
include Makefile

$(BINS)/handlers: $(addprefix $(OBJ)/,unit/handlers.o 02_epoll_reactor/reactor.o) $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^
