# A machine for those who have no Linux: .devcontainer/, of which notes/machine.md tells.

.PHONY: machine-check machine-test
CHECKS += machine-check
machine-check: deps  ## does .devcontainer/ hold what it must?
	@$(PYTEST) tests/machine

machine-test:  ## its Dockerfile's steps in a fresh chroot of its Debian, then `make demo` there (or TYPED='make unit')
	@tests/site/deps.sh mmdebstrap
	@$(PYTHON) -B -m tests.machine.machine '$(or $(TYPED),make demo)'
