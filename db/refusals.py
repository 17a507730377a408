"""What a PostgreSQL server refuses, and why: by its codes, or by its words where there are none.

Nothing here needs the driver: SQLAlchemy's error holds the driver's.
"""

import re
from typing import Final

from sqlalchemy.exc import DBAPIError

_AGAIN: Final = "run the same command again"

_CODES: Final = {
    "28": "check the name, and the password in PGPASSWORD or ~/.pgpass",
    "3D": "make it first (`createdb`), or name another one",
    "42501": "its owner has to GRANT that to this user",
    "53100": f"free some space on its server and {_AGAIN}",
    "53200": f"its server has not enough memory; {_AGAIN} with fewer workers",
    "53300": "raise max_connections on its server, or use fewer workers",
    "25006": "name the server that can be written to, not its copy",
    "55P03": f"another command writes for long; {_AGAIN}",
    "57014": f"somebody ended the statement; {_AGAIN}",
    "40": f"others write the same; {_AGAIN}",
    "08": f"the connection was lost; {_AGAIN}",
    "57P": f"the server was stopped; {_AGAIN}",
}
"""What to do, by what an SQLSTATE begins with."""

_WORDS: Final = {
    "password authentication failed": _CODES["28"],
    "no password supplied": "put the password into PGPASSWORD or ~/.pgpass",
    "no pg_hba.conf entry": "pg_hba.conf on its server has to let this machine and user in",
    "does not exist": "make it first (`createdb`, `createuser`), or name another one",
    "permission denied": _CODES["42501"],
    "too many clients": _CODES["53300"],
    "connection slots": _CODES["53300"],
    "starting up": "try again in a moment",
    "shutting down": "start it again",
    "definition of service": "name a service of ~/.pg_service.conf",
    "resolve host": "check the name of the host",
    "translate host": "check the name of the host",
    "timeout expired": "is the server running, and may this machine reach its port?",
    "Connection refused": "is the server running, and is this its port?",
    "No such file or directory": "is the server running, and is this the folder of its socket?",
    "closed the connection": f"the connection was lost; {_AGAIN}",
    "connection is lost": f"the connection was lost; {_AGAIN}",
    "connection is closed": f"the connection was lost; {_AGAIN}",
    "terminating connection": f"the server was stopped; {_AGAIN}",
}

_PASSING: Final = ("40001", "40P01", "08", "57P01", "57P02", "57P03")
_BEFORE_REASON: Final = re.compile(
    r"^.*(?:FATAL: +|ERROR: +|port \d+ failed: |socket \"[^\"]*\" failed: |fe_sendauth: )"
)


def refusal(error: DBAPIError) -> str | None:
    """Why, and what to do; None: it is no error of PostgreSQL's, or of no known kind."""
    if error.orig is None or not type(error.orig).__module__.startswith("psycopg"):
        return None
    code = _code(error)
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()] or [code]
    for start, advice in _CODES.items():
        if code.startswith(start):
            return f"{_reason(lines[0])}; {advice}"
    for line in lines:
        for words, advice in _WORDS.items():
            if words in line:
                return f"{_reason(line)}; {advice}"
    return None


def passes(error: DBAPIError) -> bool:
    """Whether a transaction may be tried again: others were in its way, or it was cut off."""
    return error.connection_invalidated or _code(error).startswith(_PASSING)


def _reason(line: str) -> str:
    return _BEFORE_REASON.sub("", line)


def _code(error: DBAPIError) -> str:
    """Five characters; empty: it comes from the client, or from another database."""
    return getattr(error.orig, "sqlstate", None) or ""
