# Exercises that check themselves: notes/exercises.md says what to build.

.PHONY: exercises exercises-all exercises-build
exercise-%: deps  ## builds your tree and checks that exercise: make exercise-01a
	@LAB_TSAN=$(call bin_of,thread) $(PYTHON) -B -m tests.exercises.exercises check $*

# One wrong answer to each exercise: all take three times as long.
CHECKS += exercises
exercises: exercises-build  ## for who changes the checks: do the solutions pass, and wrong answers not? (ID=02a: one, thoroughly)
	@$(PYTHON) -B -m tests.exercises.exercises verify $(ID)
exercises-all: exercises-build  ## make exercises with all wrong answers, and unusual right ones
	@$(PYTHON) -B -m tests.exercises.exercises verify \
	  $(patsubst tests/exercises/check_%.py,%,$(sort $(wildcard tests/exercises/check_*.py)))

# With ThreadSanitizer what `make tsan` builds, too: copies of the tree compile what they change.
exercises-build: deps
	$(call build)
	$(call build,thread,$(addprefix $(call bin_of,thread)/,01_plain_epoll 02_epoll_reactor))
