"""User code: Python files of the user, how they are imported, named, compared and kept with a run.

A folder with such files is a :class:`Code`. Its modules are imported under names that are unique
to the folder, so ``helper.py`` of one experiment is never confused with that of another. Inside
the folder, ``import helper`` finds the file beside it before an installed package of that name,
but after the standard library and bascule. Importing writes no files into the folder.

A user's class is named by its file, relative to the folder, and its name: ``"my_nets.py:G"``. Its
file decides what it computes, with all user files that this file imports, directly or indirectly
(:func:`sources`). A file is a user file unless it belongs to Python, to bascule or to an installed
package. Data files that the code reads are not tracked.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import linecache
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import bascule
from bascule.core.class_names import is_of_package, is_of_plugin, is_value_class, path_of
from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.core.reading import read_bytes

MOST_BYTES = 2**20  # of one file written by hand
PREFIX = "_bascule_code_"
_codes: dict[str, Code] = {}  # by the name of the package under which the folder is imported
_by_root: dict[Path, Code] = {}  # the current import of each folder


# importing


@dataclass(eq=False)
class Code:
    """A folder of user code, with the content its files had when they were first imported."""

    root: Path
    package: str
    texts: dict[Path, bytes] = field(default_factory=dict)  # of the files that were executed
    _own: dict[str, bool] = field(default_factory=dict)

    def module(self, file: str) -> ModuleType:
        """The module of ``file`` (relative to the folder); the first call executes it.

        Raises :class:`UserError` if it cannot be imported.
        """
        path = self.root / file
        parts = Path(file).with_suffix("").parts
        if path.suffix != ".py" or ".." in parts or Path(file).is_absolute():
            raise UserError(f"{path} is not a Python file")
        parts = parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts
        name = ".".join([self.package, *(part.replace(".", "_") for part in parts)])
        try:
            if name in sys.modules:
                return sys.modules[name]
            if len(parts) > 1:
                importlib.import_module(name.rpartition(".")[0])
            spec = _spec(self, name, path)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)  # type: ignore[union-attr]
            except BaseException:
                del sys.modules[name]
                raise
            return module
        except UserError:
            raise
        except SystemExit as end:
            raise UserError(
                f"{path} ends the program when it is read (exit code {end.code}): put what ends it "
                'below if __name__ == "__main__"'
            ) from end
        except Exception as error:
            told = str(error).replace(f"{self.package}.", "")
            raise UserError(f"{path} does not load: {type(error).__name__}: {told}") from error

    def find(self, name: str) -> Any:
        """The object that ``"my_nets.py:G"`` names in this folder. Raises :class:`UserError`."""
        file, _, word = name.rpartition(":")
        found: Any = self.module(file)
        for part in word.split("."):
            found = getattr(found, part, None)
        if found is None:
            raise UserError(f"{self.root / file} defines no {word}")
        return found

    def read(self, path: Path) -> bytes:
        """The content of a file; if it was executed, the content at that time."""
        return self.texts[path] if path in self.texts else read_bytes(path, MOST_BYTES)

    def is_current(self) -> bool:
        """Whether the executed files are unchanged on disk."""
        try:
            return all(read_bytes(path, MOST_BYTES) == text for path, text in self.texts.items())
        except (OSError, ValueError):
            return False

    def has(self, top: str) -> bool:
        """Whether ``import top`` inside the folder means one of its own files."""
        if top not in self._own:
            self._own[top] = _is_own(self.root, top)
        return self._own[top]

    def importer(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """The ``__import__`` function for modules in this folder."""
        top = name.partition(".")[0]
        if level or not self.has(top):
            return builtins.__import__(name, globals, locals, fromlist, level)
        whole = f"{self.package}.{name}"
        if fromlist:
            return builtins.__import__(whole, globals, locals, fromlist, 0)
        importlib.import_module(whole)
        return sys.modules[f"{self.package}.{top}"]


class _Loader(SourceFileLoader):
    """Compiles a file at every import; reads and writes no bytecode cache."""

    def __init__(self, code: Code, name: str, path: Path) -> None:
        super().__init__(name, str(path))
        self.code, self.file = code, path

    def get_code(self, fullname: str) -> Any:
        text = self.code.texts[self.file] = read_bytes(self.file, MOST_BYTES)
        return compile(text, str(self.file), "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        own = {**vars(builtins), "__import__": self.code.importer}
        module.__dict__["__builtins__"] = own
        exec(self.get_code(module.__name__), module.__dict__)


class _Finder(MetaPathFinder):
    """Finds the modules inside the folders of user code."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        code = _codes.get(top)
        if code is None:
            return None
        if not rest:
            return _folder_spec(fullname, code.root)
        place = code.root.joinpath(*rest.split("."))
        for file in (place / "__init__.py", place.parent / f"{place.name}.py"):
            if file.is_file():
                return _spec(code, fullname, file)
        return _folder_spec(fullname, place) if place.is_dir() else None


def _spec(code: Code, name: str, path: Path) -> ModuleSpec:
    inner = [str(path.parent)] if path.name == "__init__.py" else None
    loader = _Loader(code, name, path)
    spec = importlib.util.spec_from_file_location(
        name, path, loader=loader, submodule_search_locations=inner
    )
    assert spec is not None
    return spec


def _folder_spec(name: str, folder: Path) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def _is_own(root: Path, top: str) -> bool:
    if top == bascule.__name__ or top in sys.stdlib_module_names:
        return False
    if (root / f"{top}.py").is_file() or (root / top / "__init__.py").is_file():
        return True
    return next((root / top).glob("*.py"), None) is not None and not importlib.util.find_spec(top)


def code_at(root: Path) -> Code:
    """The code in a folder; imported again if a file has changed since the last import."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    root = root.resolve()
    known = _by_root.get(root)
    if known is None or not known.is_current():
        known = Code(root, f"{PREFIX}{address(str(root)):x}_{len(_codes)}")
        _codes[known.package] = _by_root[root] = known
    return known


def load_file(path: Path) -> ModuleType:
    """The module of a user's Python file; executed if it is new or has changed."""
    return code_at(path.parent).module(path.name)


def load_named(text: str) -> Any:
    """The object that ``"folder/my_nets.py:G"`` names; executes the file.

    Raises :class:`UserError` if there is no such file or name, or if the file cannot be imported.
    """
    file, _, name = text.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"{text}: there is no file {file}")
    return code_at(path.parent).find(f"{path.name}:{name}")


def classes_in_file(path: Path) -> tuple[type, ...]:
    """The user's dataclasses that the file at ``path`` defines or imports; none without a file."""
    return classes_of(load_file(path)) if path.exists() else ()


def classes_of(module: ModuleType) -> tuple[type, ...]:
    """The user's frozen dataclasses that a module defines or imports."""
    known = (value for value in vars(module).values() if is_value_class(value))
    return tuple(dict.fromkeys(cls for cls in known if is_users(cls)))


def known_with(value: Any) -> tuple[type, ...]:
    """All user classes that are known in the files which define the user classes of ``value``."""
    modules = dict.fromkeys(sys.modules[_place(thing)[0]] for thing in code_in(value))
    return tuple(dict.fromkeys(cls for module in modules for cls in classes_of(module)))


# naming


def is_users(thing: Any) -> bool:
    """Whether a class, function or value is user code: not from bascule and not from a plug-in."""
    return not is_of_package(thing) and not is_of_plugin(thing)


def _place(thing: Any) -> tuple[str, str]:
    """The module and name of a class or function, or of a value that a module has a name for."""
    if hasattr(thing, "__qualname__"):
        return thing.__module__, thing.__qualname__
    for module, found in list(sys.modules.items()):
        if module.partition(".")[0] in _codes:
            for name, value in vars(found).items():
                if value is thing:
                    return module, name
    raise UserError(
        f"{str(thing)[:80]} has no name in a file of yours: assign it to a name at the top level"
    )


def name_of(thing: Any) -> str:
    """How files name a class or function: ``"my_nets.py:G"``, or its module and its name."""
    if not is_users(thing):
        return path_of(thing)
    module, name = _place(thing)
    found = _file_of(module)
    return f"{found.rel if found else f'{module}.py'}:{name}"


def said(value: Any) -> str:
    """``value`` as text that :func:`bascule.runs.codec.parse` reads, with relative file paths."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(said, value))}]"
    if isinstance(value, str | int | float | None):
        return repr(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        told = ", ".join(f"{name}={said(getattr(value, name))}" for name in fields)
        return f"{_said_name(type(value))}({told})"
    return _said_name(value)


def _said_name(thing: Any) -> str:
    if not is_users(thing):
        return str(thing.__name__)
    module, name = _place(thing)
    found = _file_of(module)
    return f"{os.path.relpath(found.path) if found else f'{module}.py'}:{name}"


@dataclass(frozen=True, order=True)
class Source:
    """A file of user code: the path ``rel``, with slashes, relative to the folder ``base``."""

    rel: str
    base: Path
    code: Code | None = field(default=None, compare=False)

    @property
    def path(self) -> Path:
        """The file's path."""
        return self.base / self.rel

    @property
    def module(self) -> tuple[str, ...]:
        """The parts of its module name, relative to ``base``."""
        parts = Path(self.rel).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    def read(self) -> bytes:
        """The content, as it was executed. Raises :class:`UserError` if it cannot be read."""
        try:
            return self.code.read(self.path) if self.code else read_bytes(self.path, MOST_BYTES)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {self.path}: {error}") from None


def _file_of(module: str) -> Source | None:
    """The file of a loaded module; None where there is none, as in a notebook."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return None
    path = Path(file)
    code = _codes.get(module.partition(".")[0])
    if code is not None:
        return Source(path.relative_to(code.root).as_posix(), code.root, code)
    depth = module.count(".") + (path.name == "__init__.py")
    path = path.resolve()
    base = path.parents[depth]
    return Source(path.relative_to(base).as_posix(), base)


# what decides a result


def code_in(value: Any) -> list[Any]:
    """The classes and functions in a value that belong to the user or to plug-ins."""
    found: dict[Any, None] = {}
    _collect(value, found)
    return list(found)


def _collect(value: Any, found: dict[Any, None]) -> None:
    if isinstance(value, tuple | list):
        for part in value:
            _collect(part, found)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not is_of_package(type(value)):
            found[type(value)] = None
        for f in dataclasses.fields(value):
            _collect(getattr(value, f.name), found)
    elif is_named(value):
        found[value] = None


def is_named(value: Any) -> bool:
    """Whether a field's value is saved by its name: a class, a function or a dataset."""
    if isinstance(value, type | FunctionType):
        return True
    return hasattr(value, "__getitem__") and not isinstance(value, str | bytes | Mapping)


def sources(things: Iterable[Any]) -> dict[str, bytes]:
    """The user files behind classes and functions: content by relative path.

    These are the files that define them and all user files that these import, directly or
    indirectly. Raises :class:`UserError` for a class that is in no file or inside a function, and
    for two different files with the same relative path.
    """
    waiting = [_source_of(thing) for thing in things]
    found: set[Source] = set()
    texts: dict[str, bytes] = {}
    while waiting:
        source = waiting.pop()
        if source in found:
            continue
        found.add(source)
        text = source.read()
        if texts.setdefault(source.rel, text) != text:
            one, other = sorted(str(each.path) for each in found if each.rel == source.rel)[:2]
            raise UserError(
                f"{one} and {other} would be the same file in the run's copy of the code: rename "
                "one of them"
            )
        waiting += _imported(source, text)
    return dict(sorted(texts.items()))


def _source_of(thing: Any) -> Source:
    module, name = _place(thing)
    if "<locals>" in name:
        raise UserError(f"{name} is defined inside a function: move it to the top of its file")
    source = _file_of(module)
    if source is None:
        raise UserError(f"{name} is not in a file: write it into a .py file")
    if _is_installed(source.path) and is_users(thing):
        raise UserError(
            f"{name} comes from the installed package {module.partition('.')[0]}: in a file of "
            "yours, write a function or a class that makes it"
        )
    return source


def _imported(source: Source, text: bytes) -> Iterator[Source]:
    """The user files that a file imports, with the ``__init__.py`` of their packages."""
    for depth in range(1, len(source.module)):
        yield from _at(source.base, source.module[:depth], source.code)
    for name in _names_imported(source, _tree(source.path, text)):
        parts = tuple(name.split("."))
        if _is_installed(source.path) and parts[0] != source.module[0]:
            continue  # imports of a plug-in are followed only within its package
        own = _is_own(source.base, parts[0])
        base, code = (source.base, source.code) if own else (_base_of(parts[0]), None)
        if base is not None:
            for depth in range(1, len(parts) + 1):
                yield from _at(base, parts[:depth], code)


def _at(base: Path, parts: Sequence[str], code: Code | None) -> Iterator[Source]:
    place = base.joinpath(*parts)
    for file in (place / "__init__.py", place.parent / f"{place.name}.py"):
        if file.is_file():
            yield Source(file.relative_to(base).as_posix(), base, code)
            return


def _names_imported(source: Source, tree: ast.Module) -> Iterator[str]:
    """The absolute names of all modules that a file may import, also inside functions."""
    package = source.module if source.rel.endswith("__init__.py") else source.module[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else ()
            base = [*up, *(node.module.split(".") if node.module else ())]
            yield from (".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if called in ("__import__", "import_module") and isinstance(node.args[0].value, str):
                yield node.args[0].value


@cache
def _base_of(top: str) -> Path | None:
    """The folder from which Python imports ``top``; None if this is not user code."""
    if top == bascule.__name__ or top in sys.stdlib_module_names or not top:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(places[0]) if places else Path(spec.origin) if spec and spec.origin else None
    if file is None or not file.exists() or _is_installed(file.resolve()):
        return None
    return file.resolve().parent


def _is_installed(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in _installed())


@cache
def _installed() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(kind) for kind in kinds]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return (*(Path(f).resolve() for f in folders), Path(bascule.__file__).resolve().parent)


# comparing code


def fingerprint(texts: Mapping[str, bytes]) -> str:
    """A hash of what files compute, 32 hexadecimal digits.

    Comments, blank lines, layout and docstrings do not count. Docstrings do count in a file that
    reads ``__doc__``. The assignment of an ``Experiment``, a ``Tuning`` or a ``recipe`` does not
    count either: the recipe itself is part of the run's key.
    """
    told = [(rel, _plain(_stripped(_tree(Path(rel), text)))) for rel, text in texts.items()]
    return hashlib.blake2b(repr(sorted(told)).encode(), digest_size=16).hexdigest()


def _tree(path: Path, text: bytes) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UserError(f"{path} does not load: {type(error).__name__}: {error}") from None


def _stripped(tree: ast.Module) -> ast.Module:
    body = [node for node in tree.body if not _is_definition(node)]
    tree = ast.Module(body, [])
    named = {n for node in ast.walk(tree) for n in (_id(node, "id"), _id(node, "attr"))}
    if "__doc__" not in named:
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                _drop_docstring(node)
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    words = " ".join(text for text in texts if isinstance(text, str))  # annotations may be strings

    def is_used(alias: ast.alias) -> bool:
        name = alias.asname or alias.name
        return name == "*" or name in named or name in words

    kept = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bascule"):
            node.names = [alias for alias in node.names if is_used(alias)]
            if not node.names:
                continue
        kept.append(node)
    return ast.Module(kept, [])


def _id(node: ast.AST, field: str) -> str:
    return str(getattr(node, field, ""))


def _drop_docstring(node: Any) -> None:
    first = node.body[0] if node.body else None
    value = getattr(first, "value", None)
    if isinstance(first, ast.Expr) and isinstance(getattr(value, "value", None), str):
        del node.body[0]


def _is_definition(node: ast.stmt) -> bool:
    """Whether a statement defines the experiment, tuning or recipe of its file."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    called = getattr(node.value, "func", None)
    name = getattr(called, "id", getattr(called, "attr", ""))
    return name in ("Experiment", "Tuning") or node.targets[0].id == "recipe"


def _plain(node: Any) -> Any:
    """A syntax tree as tuples without positions and empty fields; equal in every Python version."""
    if isinstance(node, ast.AST):
        parts = ((name, _plain(value)) for name, value in ast.iter_fields(node))
        told = tuple(part for part in parts if part[1] not in (None, ()) and part[0] != "kind")
        return (type(node).__name__, told)
    if isinstance(node, list):
        return tuple(map(_plain, node))
    return None if node is None else repr(node)


def source_of(cls: type) -> str:
    """The source text of one class; the identity of older runs depends on it."""
    linecache.checkcache()
    return inspect.getsource(cls)


def file_of(cls: type) -> Path:
    """The file that defines a class. Raises :class:`UserError` if there is none."""
    source = _file_of(cls.__module__)
    if source is None:
        raise UserError(
            f"{cls.__name__} is not defined in a file: put it into a file, such as mine.py"
        )
    return source.path.resolve()


def code_of(value: Any) -> str:
    """A hash of what a user's value computes, 16 hexadecimal digits.

    It covers the files of its class (:func:`fingerprint`) and its parameters.
    """
    cls = type(value)
    parameters = sorted(vars(value).items()) if hasattr(value, "__dict__") else []
    told = repr((fingerprint(sources([cls])), cls.__qualname__, parameters))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
