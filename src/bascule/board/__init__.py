"""The board: the runs folder in a browser, while others write to it.

``bascule board`` starts a small web server on this machine (:mod:`bascule.board.serve`). Every
request first passes the guard (:mod:`bascule.board.guard`): token, host, origin.

    board.py    what all pages share: the runs folder, safe paths in it, templates
    app.py      the routes of all pages as one application
    guard.py    who may ask
    stream.py   server-sent events
    summary.py  a run in one row, read again only when its files change
    row.py      that row with what the board's own processes say, and as JSON
    tail.py     the new lines of a growing file, from a byte cursor on
    watch.py    what is new in some runs: scalars, pictures, diagnoses
    experiments.py  what the notes in the runs folder say
    experiment_view.py  an experiment as its runs say now, from the pieces of its note
    shelf.py    titles, tags and the trash
    workers.py  processes that the board starts: resume and fork
    latents.py  loaded Gs, neighbours and attributes, for the latents page
    judging.py  the next two pictures of a judge, and what the answers say so far
    pages/      one module a page
    templates/  one template a page; all extend layout.html.j2, or site.html.j2 in a static site
    assets.py   where the static files are, and the colours of figures as a style sheet
    export/     a static site of chosen runs, and the guided stories
    static/     board.css, one JavaScript module a page, a style sheet of its own where a page has
                much that no other one has, and vendored libraries

**To add a page**, write three files and one name:

1. ``pages/mine.py`` with ``TAB = Tab("/mine", "Mine")``, its entry in the navigation (or None), and
   ``routes(board) -> list[BaseRoute]``, its URLs. A handler returns
   ``board.page(request, "mine.html.j2", name=value)`` for HTML, or a Starlette response.
2. ``templates/mine.html.j2``, which extends ``layout.html.j2`` and fills ``main``, and ``script``
   with ``<script type="module" src="/static/mine.js"></script>``.
3. ``static/mine.js``, which imports what it needs from ``board.js``.
4. The module's name in ``PAGES`` of ``pages/__init__.py``.

Rules for pages: a GET changes nothing; what changes something is a POST with a JSON body
(:func:`bascule.board.board.post`, ``post()`` in ``board.js``). A run is found by
``board.run(request.path_params["run"])`` and a file in it by ``board.file(run, "samples", name)``,
which refuse every path out of the runs folder. To look at a run, use ``Run.recipe``, never
``Run.playable``; only what draws executes the network of a run, as trust allows. Heavy modules
(PyTorch) are imported in functions, and slow work runs in a thread: handlers are plain functions,
which Starlette runs in threads. A :class:`UserError` becomes one line on the page. In JavaScript,
data goes into ``textContent``, never into ``innerHTML``. The page's Content-Security-Policy allows
no inline script, no inline style and nothing from elsewhere.
"""
