# Exercises that check themselves: notes/exercises.md says what to build.

.PHONY: exercises
exercise-%: deps  # builds your tree and checks that exercise
	@LAB_TSAN=$(call bin_of,thread) $(PYTHON) -B -m tests.exercises.exercises check $*

CHECKS += exercises
exercises: deps all  ## do the solutions pass their checks? (ID=02a: one; make exercise-02a: does yours?)
	@$(PYTHON) -B -m tests.exercises.exercises verify $(ID)
