"""YAML text to plain values and back, strictly: what YAML would silently turn into something else is refused.

A name given twice is refused (YAML itself keeps the last one). ``on``, ``12:34:56:00:00:02`` and ``1.5`` stay the
words they look like (YAML 1.1 makes a truth value, a number in base 60 and a fraction of them). References
(``*name``) are refused: written out, a file says what it means.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ipvkit.errors import TopologyError
from ipvkit.topology import checks

_BOOL, _INT, _NULL = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:null"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with fewer surprises."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own attribute)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        refused = ""
        if isinstance(event, yaml.AliasEvent):
            refused = f"*{event.anchor} is a reference"
        elif getattr(event, "tag", None):
            refused = f"{event.tag} is a tag"
        if refused:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=refused, problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG:
                raise yaml.MarkedYAMLError(problem=f"{_text(key)} is not a name in text",
                                           problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{_text(key)} is here a second time", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)


def _text(key: Any) -> str:
    return checks.shown(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"


_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(_INT, re.compile(r"(?:0|-?[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|)$"), ["~", "n", ""])


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper in blocks, but flat lists and what is flat inside a list on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_compactly(self, data: list[Any]) -> Any:
        plain = all(isinstance(member, str | int) for member in data)
        node = self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)
        for member in node.value:
            _make_compact(member)
        return node


def _make_compact(node: Any) -> None:
    if isinstance(node, yaml.MappingNode):
        values = [value for _, value in node.value]
        node.flow_style = all(isinstance(value, yaml.ScalarNode) for value in values)
        for value in values:
            _make_compact(value)


_Dumper.add_representer(list, _Dumper.represent_compactly)


def parse(text: str, file: str = "YAML") -> Any:
    """Return the plain values of a YAML text; TopologyError naming ``file``, the line and the fix if it is not YAML."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        where = f"{file} line {mark.line + 1} column {mark.column + 1}" if mark else file
        raise TopologyError(where, ", ".join(filter(None, [error.context, error.problem])),
                            _fix(str(error.problem))) from None
    except yaml.reader.ReaderError as error:
        raise TopologyError(f"{file} character {error.position + 1}", f"this is not YAML text ({error.reason})",
                            "Save the file as plain UTF-8 text.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise TopologyError(file, f"this is not YAML ({checks.shown(str(error))})", "Mend or remove it.") from None
    except RecursionError:
        raise TopologyError(file, "this is nested too deeply for a topology", "Mend its brackets.") from None


_FIXES = {
    "\\t": "Indent with spaces, not with tabs.",
    "is a reference": "Write out what it stands for.",
    "is a tag": "Leave it out.",
    "second time": "Give each its own name, and write each field once.",
    "not a name": "Put it in quotes.",
}


def _fix(problem: str) -> str:
    close = "Compare the indentation, brackets and colons around it with docs/topology.md."
    return next((fix for words, fix in _FIXES.items() if words in problem), close)


def dump(plain: dict[str, Any]) -> str:
    """Return plain values as YAML text, in the order they have."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False)


def read_file(path: Path) -> str:
    """Return a file's text; TopologyError naming it if it cannot be read or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise TopologyError(str(path), "this is not a text file", "Give a YAML file in UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TopologyError(str(path), f"cannot be read ({reason})", "Give the path of a YAML file.") from None
