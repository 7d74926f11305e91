"""A static site of chosen runs, which any web server or a folder opens: `bascule board --export`.

site     its pages and files
bundle   the board's JavaScript modules as one classic script
latents  what a G draws around a few random points, drawn beforehand
stories  three guided games with a D too strong, a mode collapse and a G almost perfect
"""
