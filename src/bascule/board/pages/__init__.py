"""The pages of the board, in the order of the navigation."""

from bascule.board.pages import game, runs

PAGES = (runs, game)
