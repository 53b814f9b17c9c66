# Yours. make builds what is here; make run-01 runs stage 1 on its own ports, and Ctrl-C ends it.
#
#   make check     how far are you? CP=3: up to the third checkpoint; STAGE=01: of that stage
#   make full      all black-box tests, of which check asks a part
#   make watch     make check again, whenever you save
#   make list      what is solved
#   make trace     CHECK=steps/3: your server's system calls in that conversation, explained
#   make handin    handin.tar.gz: what you hand in
#   make SAN=address,undefined      looks for errors with memory while it runs, too

.DEFAULT_GOAL := mine
include rules.mk
LAB  := @LAB@
MINE := $(filter $(patsubst %/,%,$(dir $(wildcard 0*/server.cc))),$(STAGES)) \
        $(notdir $(basename $(wildcard 0*/evhttp_server.cc)))

.PHONY: mine check watch list full trace handin
mine: $(MINE:%=$(BINS)/%)
check watch list full trace:
	@$(MAKE) --no-print-directory -C '$(LAB)' lab-$@ DIR='$(CURDIR)'
handin:
	@tar czf handin.tar.gz 0*/ common/
