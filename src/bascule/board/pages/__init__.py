"""The pages of the board, in the order of the navigation."""

from bascule.board.pages import fork, game, judging, latents, runs

PAGES = (runs, game, fork, latents, judging)
