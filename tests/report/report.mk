# One page with what this machine measured today.
#
#   make report REPORT_BENCH=              all servers and more rounds; about 20 minutes
#   make report REPORT_BENCH='--only 02'   other flags of tests.bench.bench

REPORT_BENCH ?= --quick

.PHONY: report report-deps
report: deps report-deps all $(FLOORS)  ## play, trace and measure everything; draws build/report/index.html
	@$(PYTHON) -B -m tests.report.report --bench='$(REPORT_BENCH)'

report-deps:
	@tests/site/deps.sh wrk strace valgrind nginx-light python3-matplotlib
