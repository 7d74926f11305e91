"""The pages of the board, in the order of the navigation."""

from bascule.board.pages import fork, game, latents, runs

PAGES = (runs, game, fork, latents)
