"""A separate process that stops engine processes when their owner is gone, for whatever reason.

Run by path with the standard library alone (``python -I vllm_guard.py``) and fed through standard
input: ``PID START`` lines name a process and its start time, ``file PATH`` a file to which
processes add such lines themselves as they start, ``PID`` alone says that one was stopped in good
order, ``done`` that all were. The end of the input without it means that the owner died
(SIGTERM, SIGKILL, a crash): an engine waits for requests for ever and would hold its memory.
"""

import os
import signal
import sys
import time

#: Seconds for a process to register itself after its owner's death.
APPEAR_S = 1.0

#: Seconds between asking a process to end and killing it.
GRACE_S = 10.0


def start_time(pid: int) -> str:
    """Return when a process started, in the kernel's own count; "" if there is no such process.

    A process number is used again after its process has ended; the pair is not.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            after_name = stat.read().rpartition(")")[2].split()
    except OSError:
        return ""
    # Fields are counted from 1, and the name is the second: state is 3, start time is 22.
    return "" if after_name[0] == "Z" else after_name[19]


def end_group(leader: int) -> None:
    """Kill the process group that ``leader`` made: an engine's workers, and itself.

    While any of them runs, the number belongs to that group, even after its leader has gone. A
    process that leads no group (``setsid`` is missing) is left alone.
    """
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def stop(processes: dict[int, str], grace_s: float = GRACE_S) -> None:
    """End those processes that are still the registered ones, and their process groups."""
    leaders = [pid for pid, began in processes.items() if start_time(pid) in {began, ""}]
    deadline = time.monotonic() + grace_s
    number: signal.Signals | None = signal.SIGTERM
    while True:
        left = [pid for pid, began in processes.items() if began and start_time(pid) == began]
        if not left:
            break
        if number is not None:
            for pid in left:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            if number == signal.SIGKILL:
                break
            number = None
        time.sleep(0.05)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
    for pid in leaders:
        end_group(pid)


def registered_in(files: list[str]) -> dict[int, str]:
    """Return processes and start times from files that may be gone or end in mid-line."""
    found: dict[int, str] = {}
    for name in files:
        try:
            with open(name, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            pid, _, began = line.strip().partition(" ")
            if pid.isdigit() and began.isdigit():
                found[int(pid)] = began
    return found


def main() -> None:
    """Listen until all engines are stopped, or until the owner is gone."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # must outlive the owner
    watched: dict[int, str] = {}
    stopped: set[int] = set()
    files: list[str] = []
    for line in sys.stdin:
        first, _, rest = line.strip().partition(" ")
        if first == "done":
            return
        if first == "file":
            files.append(rest)
        elif rest:
            watched[int(first)] = rest
        else:
            watched.pop(int(first), None)
            stopped.add(int(first))
    if files:
        time.sleep(APPEAR_S)
    for pid, began in registered_in(files).items():
        if pid not in stopped:
            watched.setdefault(pid, began)
    stop(watched)


if __name__ == "__main__":
    main()
