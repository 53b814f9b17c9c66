# Unit tests: what common/ promises, without a server. allocation_test.cc replaces malloc, which a
# sanitizer wants for itself, so it is a program of its own and built plainly.

UNIT_TESTS := $(filter-out %/allocation_test.cc,$(wildcard tests/unit/*_test.cc))
GTEST      := -lgmock -lgtest -lgtest_main

.PHONY: unit unit-run allocation-run
unit: deps  ## unit tests of common/ with ASan and UBSan (or the SAN= given)
	$(call build,$(or $(SAN),$(ASAN)),unit-run)
	$(call build,,allocation-run)

unit-run: $(OBJ)/tests/unit/unit
	@$(PYTHON) -m tests.harness $< --gtest_brief=1 --gtest_output=xml:$<.xml
	@$(PYTHON) -m tests.skips $<.xml
allocation-run: $(OBJ)/tests/unit/allocation
	@$< --gtest_brief=1

# The tests themselves are not optimized, what they test is: GoogleTest's macros with sanitizers take
# g++ seven times as long at -O2, and the tests run as fast.
$(OBJ)/tests/unit/%.o: WITH = -O0

$(OBJ)/tests/unit/unit: $(UNIT_TESTS:%.cc=$(OBJ)/%.o)
$(OBJ)/tests/unit/allocation: $(OBJ)/tests/unit/allocation_test.o
$(OBJ)/tests/unit/unit $(OBJ)/tests/unit/allocation: $(COMMON_OBJ)
	@mkdir -p $(@D)
	$(CXX) $(ALL_FLAGS) -o $@ $^ $(GTEST)
