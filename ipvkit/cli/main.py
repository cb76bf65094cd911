"""The parser, and what every command has in common: exit status, errors in one line, Ctrl-C, the log."""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Sequence
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import NoReturn

from ipvkit.choice import CASES
from ipvkit.cli.terminal import TYPED, NobodyReads, Terminal
from ipvkit.errors import BadQuestion, IpvkitError, MachineGone, TopologyError
from ipvkit.machine import cache

GOOD, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
LOG = logging.getLogger("ipvkit")
_LOG_BYTES = 1_000_000

_ABOUT = """\
Build ipvlan and macvlan networks in a real Linux kernel; ask who reaches whom.
Nothing of this computer's own network is touched; no root is needed.
"""

def _examples() -> str:
    commands = {
        "demo": "the classic experiment; what it proves", "doctor": "what this computer can do",
        "draw lab.yaml": "draw it here, or into -o lab.svg|png|pdf", "predict lab.yaml": "what the theory says",
        "run lab.yaml": "what the kernel does, and if they differ",
        "explain lab.yaml net1 net2": f"\n{'':39}why, step by step",
        "commands lab.yaml": "the ip commands that build it by hand",
        "choose --dhcp": "which driver and mode for my case",
    }
    lines = [f"  {f'{TYPED} {command}':36} {about}".replace(" \n", "\n") for command, about in commands.items()]
    return _EXAMPLES.format(begin="\n".join(lines[:2]), then="\n".join(lines[2:]))


_EXAMPLES = """\
begin here:
{begin}

a lab of your own, in a file lab.yaml:
  driver: ipvlan l3
  endpoints:
    net1: 10.0.1.10/24
    net2: 192.168.1.10/24

and then:
{then}

exit status: 0 good, 1 the lab disagrees or something failed, 2 bad input
More about topologies: docs/topology.md
"""


class _Parser(ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}. See: {self.prog} --help\n")


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # closed by who called: >&-
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  kept until the end, like the one it replaces
    terminal = Terminal()
    try:
        options, unknown = _parser().parse_known_args(arguments or ["--help"])
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else BAD_INPUT
    except BrokenPipeError:
        _write_to_nobody()
        return FAILED
    log = _start_log(arguments)
    if options.verbose:
        terminal.complain(f"log: {log or 'none, the cache directory cannot be written'}")
    status = _carry_out(options, terminal, log)
    LOG.info("exit status %s", status)
    return status


def _write_to_nobody() -> None:
    """Python's flush at the end must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _carry_out(options: Namespace, terminal: Terminal, log: Path | None) -> int:
    try:
        module, _, function = options.does.partition(":")
        status: int = getattr(import_module(module), function)(options, terminal)
        return status
    except KeyboardInterrupt:
        LOG.info("interrupted")
        terminal.complain("interrupted; nothing is left")
        return INTERRUPTED
    except NobodyReads:
        _write_to_nobody()
        return FAILED
    except (TopologyError, BadQuestion) as error:
        return _complain(terminal, str(error), BAD_INPUT)
    except MachineGone as error:
        return _complain(terminal, str(error).splitlines()[0] + (f" (its console is in {log})" if log else ""), FAILED)
    except IpvkitError as error:
        return _complain(terminal, str(error), FAILED)
    except ModuleNotFoundError as error:
        return _complain(terminal, f"this needs the Python package {error.name}. Type: ./lab setup", FAILED)
    except Exception as error:
        where = f"; {log} has the rest" if log else ""
        return _complain(terminal, f"unforeseen: {type(error).__name__}: {error}{where}", FAILED)


def _complain(terminal: Terminal, text: str, status: int) -> int:
    LOG.error("%s", text, exc_info=True)
    terminal.complain(f"ipvkit: {text}")
    return status


def _start_log(arguments: Sequence[str]) -> Path | None:
    """Log into the cache directory; None where it cannot be written."""
    path = cache.directory() / "ipvkit.log"
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    for old in LOG.handlers[:]:
        LOG.removeHandler(old)
        old.close()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8",
                                                       errors="backslashreplace")
    except OSError:
        LOG.addHandler(logging.NullHandler())
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    LOG.addHandler(handler)
    LOG.info("python -m ipvkit %s, Python %s", " ".join(arguments), sys.version.split()[0])
    return path


def _parser() -> ArgumentParser:
    parser = _Parser(prog=TYPED, description=_ABOUT, epilog=_examples(),
                     formatter_class=RawDescriptionHelpFormatter)
    parser.set_defaults(verbose=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    _add(commands, "demo", "ipvkit.cli.demo:demo", "the classic ipvlan experiment, and what it proves",
         "python -m ipvkit demo", "json", "machine")
    doctor = _add(commands, "doctor", "ipvkit.cli.report:doctor", "what this computer can do, found by trying",
                  "python -m ipvkit doctor --fresh", "json")
    doctor.add_argument("--fresh", action="store_true", help="try again what was tried since this computer started")

    _add(commands, "run", "ipvkit.cli.report:run", "build it, measure all pairs, compare with the theory",
         "python -m ipvkit run lab.yaml\n  python -m ipvkit run lab.yaml --json > measured.json",
         "file", "json", "machine", "link-local")
    _add(commands, "predict", "ipvkit.cli.report:predict", "what the theory says, without any kernel",
         "python -m ipvkit predict lab.yaml --kernel 6.1", "file", "json", "kernel", "link-local")
    explain = _add(commands, "explain", "ipvkit.cli.report:explain", "one ping by the theory, step by step",
                   "python -m ipvkit explain lab.yaml net1 far", "file", "json", "kernel", "link-local")
    explain.add_argument("src", metavar="SRC", help="who asks: a name in the file, or one of the default world's")
    explain.add_argument("dst", metavar="DST", help="who is asked")
    explain.add_argument("--family", type=int, choices=(4, 6), help="IPv4 or IPv6; default: one both have")
    draw = _add(commands, "draw", "ipvkit.cli.report:draw", "draw it",
                "python -m ipvkit draw lab.yaml\n  python -m ipvkit draw lab.yaml -o lab.svg", "file")
    draw.add_argument("-o", "--output", metavar="PICTURE", help="a file that ends in .svg, .png or .pdf; without: here")
    _add(commands, "commands", "ipvkit.cli.report:commands", "the ip commands that build it by hand, as root",
         "python -m ipvkit commands lab.yaml | sudo sh -ex", "file")
    choose = _add(commands, "choose", "ipvkit.cli.choose:choose", "which driver and mode for my case, and why",
                  "python -m ipvkit choose --mac-limit --dhcp", "json")
    for case, question in CASES.items():
        choose.add_argument(f"--{case.replace('_', '-')}", action="store_true", help=question)
    extras = _add(commands, "extras", "ipvkit.cli.extras:extras", "Docker and the CNI plugins: here? else get them",
                  "python -m ipvkit extras\n  python -m ipvkit extras docker cni", "json")
    extras.add_argument("names", nargs="*", metavar="NAME", help="docker or cni: get it")
    return parser


def _add(
    commands: _SubParsersAction[_Parser], name: str, does: str, about: str, example: str, *takes: str
) -> ArgumentParser:
    """Add a command; ``takes`` names what it has in common with others."""
    command = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".",
                                  epilog="example:\n  " + example.replace("python -m ipvkit", TYPED),
                                  formatter_class=RawDescriptionHelpFormatter)
    command.set_defaults(does=does, parser=command)
    if "file" in takes:
        command.add_argument("file", metavar="FILE.yaml", help="a topology (docs/topology.md); - reads standard input")
    if "json" in takes:
        command.add_argument("--json", action="store_true", help="print the results as JSON")
    if "link-local" in takes:
        command.add_argument("--link-local", action="store_true",
                             help="ask for the IPv6 addresses that devices give themselves (fe80::…)")
    if "machine" in takes:
        command.add_argument("--machine", choices=("native", "uml"), help="where; default: the first that can")
    if "kernel" in takes:
        command.add_argument("--kernel", metavar="VERSION", default="6.1", help="which Linux; default: 6.1")
    command.add_argument("--verbose", action="store_true", help="say where the log is")
    return command
