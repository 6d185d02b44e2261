"""What a check costs with a thousand keys and with a million."""

from contextlib import ExitStack

from bench.figures import Figure, Report
from bench.setting import Setting, serve
from bench.throughput import Contender, interleave, key_questions

_FEW = 1_000
_MANY = 1_000_000
_MANY_QUICKLY = 100_000
# As many different ones in both, so that counting them costs the same.
_ASKED = 1_000


def measure(setting: Setting, report: Report) -> None:
    """Compare the CPU of `authorize` on both SQLite files."""
    many = _MANY_QUICKLY if setting.is_quick else _MANY
    with ExitStack() as servers:
        contenders: dict[str, Contender] = {}
        for keys in (_FEW, many):
            installation = setting.sqlite(f"keys{keys}", keys)
            server = servers.enter_context(serve(installation.environment))
            questions = key_questions(server, installation, setting, asked=_ASKED)
            contenders[f"{keys:,}"] = Contender(questions, server)
        interleave(contenders, setting)
    few, more = contenders.values()
    report.figures += [
        Figure(f"authorize: CPU with {many:,} keys ÷ {_FEW:,}", more.cpu / few.cpu, at_most=1.1),
    ]
    report.notes += [
        f"authorize with {name} keys: {contender.cpu:.0f} µs of CPU a request,"
        f" {contender.per_second:,.0f} requests/s"
        for name, contender in contenders.items()
    ]
