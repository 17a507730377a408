"""Two servers that start at once never take the same port."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.ports import HOST, claim_port


def test_a_claimed_port_is_not_given_again_before_anybody_listens(tmp_path: Path) -> None:
    first, claim = claim_port(tmp_path)
    second, other = claim_port(tmp_path)
    assert first < second
    with pytest.raises(ServerStartError, match=f"port {first} is in use"):
        claim_port(tmp_path, first)
    other.close()
    claim.close()
    third, claim = claim_port(tmp_path)
    claim.close()
    assert third == first


def test_a_claim_lasts_as_long_as_the_process_it_was_handed_to(tmp_path: Path) -> None:
    port, claim = claim_port(tmp_path)
    with claim:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[claim.fileno()]
        )
    with pytest.raises(ServerStartError, match="in use"):
        claim_port(tmp_path, port)
    child.communicate(b"\n")
    found, claim = claim_port(tmp_path, port)
    claim.close()
    assert found == port


def test_a_port_somebody_listens_on_is_passed_over(tmp_path: Path) -> None:
    first, claim = claim_port(tmp_path)
    claim.close()
    with socket.create_server((HOST, first)):
        second, claim = claim_port(tmp_path)
        claim.close()
    assert second > first


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerStartError, match="file/ports: cannot be written to"):
        claim_port(tmp_path / "file" / "ports")
