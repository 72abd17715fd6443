"""A real SLURM of one node on the loopback interface: munged, slurmctld, slurmd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

NEEDED = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "munged", "mungekey")

_CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=5
MpiDefault=none
SwitchType=switch/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=loopback Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no SLURM here; None if there can."""
    lacking = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed (Debian: slurm-wlm, munge)"
    if os.getuid() != 0:
        return "only root can start SLURM's daemons"
    return None


class Slurm:
    """Started for a test session; ``environment`` leads its commands to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.directory / "slurm.conf"), "PATH": _path()}

    def __enter__(self) -> Self:
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "spool", "munge"):
            (self.directory / name).mkdir()
        conf = _CONF.format(
            host=host,
            directory=self.directory,
            ctld_port=_free_port(),
            slurmd_port=_free_port(),
            cpus=os.cpu_count(),
        )
        (self.directory / "slurm.conf").write_text(conf)
        try:
            self._start_munge()
            self._start(["slurmctld", "-D", "-i"])
            self._start(["slurmd", "-D", "-N", host])
            self._wait_for_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, *words: str) -> str:
        """Output of one of SLURM's commands."""
        return subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def _start_munge(self) -> None:
        key = self.directory / "munge" / "munge.key"
        subprocess.run(["mungekey", "--create", f"--keyfile={key}"], check=True, env=_environ())
        munge = self.directory / "munge"
        munge.chmod(0o700)
        self._start(
            [
                "munged",
                "--foreground",
                "--force",
                f"--key-file={key}",
                f"--socket={self.directory}/munge.socket",
                f"--pid-file={munge}/munged.pid",
                f"--seed-file={munge}/munged.seed",
                f"--log-file={munge}/munged.log",
            ]
        )
        _until((self.directory / "munge.socket").exists, "munged has no socket")

    def _start(self, words: list[str]) -> None:
        log = (self.directory / f"{words[0]}.out").open("wb")
        self._processes.append(
            subprocess.Popen(
                words,
                env={**_environ(), **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        )
        log.close()

    def _wait_for_node(self) -> None:
        def idle() -> bool:
            try:
                return "idle" in self.run("sinfo", "--noheader", "--format=%t")
            except subprocess.CalledProcessError:
                return False

        _until(idle, f"the node did not come up; see {self.directory}")


def _until(true: object, complaint: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    assert callable(true)
    while not true():
        if time.monotonic() > until:
            raise RuntimeError(complaint)
        time.sleep(0.1)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _environ() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
