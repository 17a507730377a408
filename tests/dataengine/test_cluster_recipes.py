"""The recipes of examples/cluster are read, and every command in them is one."""

import re
import shlex
import subprocess

import yaml

from tests.conftest import CHECKOUT
from tests.dataengine.conftest import parse


def test_the_recipes_are_read() -> None:
    folder = CHECKOUT / "examples/cluster"
    job = yaml.safe_load((folder / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    of_cluster = job["spec"]["rayClusterSpec"]
    groups = [of_cluster["headGroupSpec"], *of_cluster["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "portraits"}}]
        assert "latest" not in container["image"]
        told = {each["name"] for each in container["env"]}
        assert set(re.findall(r"\$(\w+)", job["spec"]["entrypoint"])) <= told
    assert groups[0]["rayStartParams"]["num-cpus"] == "0"
    task = yaml.safe_load((folder / "skypilot.yaml").read_text(encoding="utf-8"))
    assert set(task["secrets"].values()) == {None}, "a key stands in no file"
    scripts = [task["setup"], task["run"], job["spec"]["entrypoint"]]
    for script in scripts:
        assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0
    lines = re.findall(r"dataengine (?:-w|init)[^\n;|']*", "\n".join(scripts))
    assert len(lines) == 4
    for line in lines:
        parse(shlex.split(line)[1:])
