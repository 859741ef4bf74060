"""A Slurm of two nodes on this machine's loopback: real daemons with their files in one folder."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

PROGRAMS = "munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch"
NODES = "one", "two"
UNENDED = {"CONFIGURING", "PENDING", "RUNNING", "COMPLETING", "REQUEUED"}  # states of jobs
SECONDS = 300.0  # until what is waited for is given up
CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd}
AccountingStoragePass={folder}/munge
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 State=UNKNOWN\n"
ACCOUNTS = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CommunicationParameters=NoInAddrAny
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={slurmdbd}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
DATABASE = "--no-defaults", "--user=root"
SMALL = "--skip-networking", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"


def lacking() -> str:
    """Why no Slurm can be started here; '' where one can."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install slurm-wlm slurmdbd munge mariadb-server"
    return "" if os.geteuid() == 0 else "Slurm's daemons start jobs as their users: root alone can"


def wait(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Waits until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class Slurm:
    """Inside `with`, a Slurm; `environment` is what its commands, and programs that call them, need."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stack = folder, ExitStack()
        changed = {"SLURM_CONF": str(folder / "slurm.conf"), "MYSQL_UNIX_PORT": str(folder / "mysql")}
        self.environment = {**os.environ, **changed, "PATH": _path()}

    def __enter__(self) -> "Slurm":
        with self.stack:
            self._configure()
            self._start("munged", "--force", "--foreground", *self._of_munge())
            data = f"--datadir={self.folder / 'database'}"
            self.run("mariadb-install-db", *DATABASE, data, "--auth-root-authentication-method=normal")
            self._start("mariadbd", *DATABASE, data, f"--socket={self.folder / 'mysql'}", *SMALL)
            wait((self.folder / "mysql").exists, "the database doesn't start")
            self._start("slurmdbd", "-D")
            wait(lambda: self._does("sacctmgr", "-i", "show", "cluster"), "slurmdbd doesn't answer")
            self._start("slurmctld", "-D")
            for node in NODES:
                self.start_node(node)
            wait(lambda: self._does("scontrol", "ping"), "slurmctld doesn't answer")
            wait(lambda: set(self.run("sinfo", "-h", "-o", "%T").split()) == {"idle"}, "no node is idle")
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._does("scancel", "--user=root")
        with suppress(AssertionError):
            wait(lambda: not self.run("squeue", "-h"), "jobs are left", seconds=30)
        self.stack.close()

    def start_node(self, name: str) -> "subprocess.Popen[bytes]":
        """Starts the daemon of a node -> its process."""
        return self._start("slurmd", "-D", "-N", name)

    def run(self, *command: str, folder: Path | None = None) -> str:
        """What a command of Slurm's prints, which ends well."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        ended = subprocess.run(command, env=self.environment, cwd=folder, timeout=SECONDS, **streams)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def submit(self, script: str, folder: Path, *options: str, words: Sequence[str] = ()) -> str:
        """Submits a batch script, which runs in `folder` with these words -> the number of the job."""
        (folder / "job.sh").write_text(f"#!/bin/bash\n{script}\n")
        return self.run("sbatch", "--parsable", *options, "job.sh", *words, folder=folder).strip()

    def ended(self, job: str) -> list[str]:
        """How a job, or each task of an array, has ended, as COMPLETED; waits for it."""
        states: list[str] = []

        def have_ended() -> bool:
            states[:] = self.run("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%T").split()
            return not UNENDED & {*states}

        wait(have_ended, f"job {job} doesn't end")
        return sorted(states)

    def start_at_once(self, job: str) -> None:
        """A job that was requeued waits for its credentials to expire: not any longer than it must."""
        hastened = False

        def has_started() -> bool:
            nonlocal hastened
            about = self.run("scontrol", "show", "job", job)
            waits = "JobState=PENDING" in about
            if waits and not hastened:  # in the second of its end a start would be refused
                hastened = self._does("scontrol", "update", f"job={job}", "StartTime=now+2")
            return not waits and "Restarts=0" not in about

        wait(has_started, f"job {job} doesn't start again")

    def fail(self, node: str) -> None:
        """A node is gone, for Slurm and its jobs, and comes back."""
        self.run("scontrol", "update", f"node={node}", "state=down", "reason=gone")
        self._does("scontrol", "update", f"node={node}", "state=resume")  # unless it has come by itself

    def _does(self, *command: str) -> bool:
        return subprocess.run(command, env=self.environment, capture_output=True).returncode == 0

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        log = self.stack.enter_context((self.folder / f"{command[0]}.out").open("ab"))
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.stack.callback(_end, process)
        return process

    def _of_munge(self) -> list[str]:
        (self.folder / "key").write_bytes(os.urandom(1024))
        (self.folder / "key").chmod(0o600)
        files = {"key-file": "key", "socket": "munge", "pid-file": "munge.pid", "log-file": "munge.log"}
        return [f"--{option}={self.folder / file}" for option, file in {**files, "seed-file": "seed"}.items()]

    def _configure(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        ports = free_ports("slurmctld", "slurmdbd", *NODES)
        about = {"folder": self.folder, "host": socket.gethostname().partition(".")[0], **ports}
        nodes = [NODE.format(name=name, host=about["host"], port=ports[name]) for name in NODES]
        (self.folder / "slurm.conf").write_text(CONF.format(**about) + "".join(nodes))
        (self.folder / "slurmdbd.conf").write_text(ACCOUNTS.format(**about))
        (self.folder / "slurmdbd.conf").chmod(0o600)


def _path() -> str:
    """Torchrun is beside this Python, and Debian keeps daemons where only root looks."""
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"


def free_ports(*names: str) -> Mapping[str, int]:
    """A free port of loopback for each name."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for opened in sockets.values():
            opened.bind(("127.0.0.1", 0))
        return {name: opened.getsockname()[1] for name, opened in sockets.items()}


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
