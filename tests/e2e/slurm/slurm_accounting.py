"""Slurm's accounting for tests: a MariaDB and a slurmdbd of our own, on loopback, in the cluster's folder.

The database is made by the server's bootstrap mode from the tables that Debian's package holds: neither its
client nor its service is needed. Nothing is synchronised to disk; it lives as long as the tests.
"""

import getpass
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from daemons import NoSlurm, missing_programs, path_with_daemons

PROGRAMS = ("mariadbd", "slurmdbd", "sacct")
TABLES = Path("/usr/share/mysql")
DATABASE = "accounting"
# Lines of slurm.conf without and with accounting
NONE = "AccountingStorageType=accounting_storage/none"
DAEMON = """AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={root}/munge/socket
# the executor's comment is the rule in its efficiency report
AccountingStoreFlags=job_comment"""
CONFIGURATION = """DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
PidFile={root}/run/slurmdbd.pid
LogFile={root}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass={password}
StorageLoc={database}
"""


def require() -> None:
    """Raise NoSlurm where a program or the tables of a new database are not installed."""
    missing = missing_programs(PROGRAMS)
    if missing:
        raise NoSlurm(f"{', '.join(missing)} not installed (slurmdbd, mariadb-server-core)")
    if not (TABLES / "mysql_system_tables.sql").exists():
        raise NoSlurm(f"{TABLES} holds no tables of a new database")


def write_files(root: Path, database_port: int, dbd_port: int) -> None:
    """Write slurmdbd.conf into the cluster's folder and make an empty database."""
    password = secrets.token_hex()
    text = CONFIGURATION.format(
        root=root,
        user=getpass.getuser(),
        database_port=database_port,
        dbd_port=dbd_port,
        password=password,
        database=DATABASE,
    )
    configuration = root / "slurmdbd.conf"
    configuration.touch(0o600)  # slurmdbd refuses one that others can read
    configuration.write_text(text)
    _make_database(root, password)


def database_command(root: Path, port: int) -> list[str]:
    """Return the command of the database's server."""
    return [
        *_server(root), f"--port={port}", "--bind-address=127.0.0.1", f"--socket={root}/run/mariadb",
        f"--pid-file={root}/run/mariadb.pid", "--performance-schema=OFF",
    ]  # fmt: skip


def answers(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _server(root: Path) -> list[str]:
    return [
        shutil.which("mariadbd", path=path_with_daemons()), "--no-defaults", f"--user={getpass.getuser()}",
        f"--datadir={root}/database", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
    ]  # fmt: skip


def _make_database(root: Path, password: str) -> None:
    (root / "database").mkdir(mode=0o700)
    statements = [
        "create database mysql;",
        "use mysql;",
        *(
            (TABLES / name).read_text()
            for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
        ),
        "flush privileges;",  # only now users can be made
        f"create user slurm@127.0.0.1 identified by '{password}';",
        f"grant all on {DATABASE}.* to slurm@127.0.0.1;",
    ]
    run = subprocess.run(
        [*_server(root), "--bootstrap", "--enforce-storage-engine="],
        input="\n".join(statements) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    if run.returncode:
        raise NoSlurm(f"the database was not made: {' '.join(run.stderr.splitlines()[-2:])}")
