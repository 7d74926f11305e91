"""The pages of the board, in the order of the navigation."""

from bascule.board.pages import experiments, fork, game, judging, latents, runs

PAGES = (runs, experiments, game, fork, latents, judging)
