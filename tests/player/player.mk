# A page that steps two recorded servers side by side; out of it nothing is loaded.

.PHONY: player
player: recordings  ## see it move: two servers, step by step, forward and back, in build/player/index.html
	@$(PYTHON) -B -m tests.player.build --links
