"""What memory a worker takes after it has checked very many keys."""

from bench import processes, wrk
from bench.checks import AUTHORIZE
from bench.figures import Figure, Report
from bench.population import raw_key
from bench.setting import WORKERS, Setting, serve

_CHECKS_PER_KEY = 4
_SLICE_SECONDS = 5


def measure(setting: Setting, report: Report) -> None:
    """Check every key of the usual database four times, then weigh the processes."""
    installation = setting.usual()
    wanted = installation.keys * _CHECKS_PER_KEY
    file = setting.folder / "every-key"
    with serve(installation.environment) as server:
        checked = 0
        while checked < wanted:
            # wrk begins with the first line each time: with the key that is next.
            order = ((checked + place) % installation.keys for place in range(installation.keys))
            wrk.write_lines(file, ((raw_key(number), "") for number in order))
            questions = wrk.Questions(server.url, "GET", AUTHORIZE, file)
            checked += wrk.run(questions, seconds=_SLICE_SECONDS).requests
        others = [pid for pid in processes.family(server.pid) if pid != server.pid]
        # Those that answered have used the most CPU.
        others.sort(key=lambda pid: processes.cpu_seconds([pid]), reverse=True)
        workers = [processes.pss_mebibytes(pid) for pid in others[:WORKERS]]
        beside = [processes.pss_mebibytes(pid) for pid in others[WORKERS:]]
        master = processes.pss_mebibytes(server.pid)
    title = f"PSS of a worker after {wanted:,} checks over {installation.keys:,} keys"
    report.figures.append(Figure(title, max(workers), unit="MiB", at_most=45))
    report.notes.append(
        f"memory (PSS) after {checked:,} checks: workers {_list(workers)} MiB, master {master:.0f}"
        f" MiB, processes beside them {_list(beside) or 'none'}"
    )


def _list(sizes: list[float]) -> str:
    return ", ".join(f"{size:.0f}" for size in sizes)
