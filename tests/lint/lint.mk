# What can be seen to be wrong without a test. Each of these is a hook in .pre-commit-config.yaml too.

PYTHON_SOURCES := $(sort $(shell find notes tests -name '*.py'))
SHELL_SOURCES  := .ci/run .devcontainer/deps.sh $(sort $(shell find tests -name '*.sh'))

.PHONY: lint lint-python lint-shell lint-spelling lint-deps format-python tidy-tests
lint: format-check lint-python lint-shell lint-spelling  ## style and slips, in C++, Python, shell and English

lint-python: lint-deps  # pyflakes, then what format-python would change: both read .flake8
	@$(PYTHON) -m flake8 $(PYTHON_SOURCES)
	@$(PYTHON) -W ignore -m autopep8 --diff --exit-code $(PYTHON_SOURCES)

lint-shell: lint-deps
	@shellcheck --external-sources $(SHELL_SOURCES)

lint-spelling: lint-deps  # reads .codespellrc
	@codespell

format: format-python
format-python: lint-deps
	@$(PYTHON) -W ignore -m autopep8 --in-place $(PYTHON_SOURCES)

lint-deps: deps
	@tests/lint/deps.sh

# Half a minute a file: the headers of GoogleTest are read again for each.
tidy-tests: deps bench-deps next-deps  ## clang-tidy on the tests and experiments in C++; takes ten minutes
	@printf '%s\n' $(sort $(shell find notes tests -name '*.cc')) | xargs -P 2 -n 3 sh -c \
	  'clang-tidy --quiet "$$@" -- -std=c++20 -I. -I$(OBJ)/gen $(EVENT_CFLAGS) 2>/dev/null' tidy
