"""The command line: `bottomup predict`, `decode`, `eval`, `inspect`, `blur`, `serve`, `benchmark`, `models`,
`warmup`.

Exit status 0, 2 with one line on standard error that says what was wrong, or
130 where Ctrl-C ended it before its end; a camera has no other end, and gives 0.
Heavy imports stand inside the commands, so that help is quick.
"""

import sys
from collections.abc import Sequence

import bottomup
from bottomup.cli import benchmark, blur, decode, eval, inspect, models, predict, serve, warmup
from bottomup.cli.console import complain, forget_output
from bottomup.cli.parsing import Parser
from bottomup.errors import BottomupError

_FAILED, _INTERRUPTED = 2, 130
_COMMANDS = (predict, decode, models, eval, inspect, blur, serve, benchmark, warmup)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    try:
        asked = parser.parse(arguments)
        if asked.command is None:
            parser.print_help()
            return 0
        status: int = asked.command(asked)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever reads our output has seen enough
        forget_output()
        return _FAILED
    except (BottomupError, OSError, MemoryError) as error:
        complain(error)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        complain(f"a defect, please report it (python -X dev shows where): {type(error).__name__}: {error}")
    forget_output()
    return _FAILED


def _parser() -> Parser:
    parser = Parser(prog="bottomup", description="Find people and their keypoints in images and videos.")
    parser.add_argument("--version", action="version", version=f"bottomup {bottomup.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
