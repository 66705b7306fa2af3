"""A real Ray cluster of two nodes on this machine, for the tests of Ray."""

import os
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="ray is not installed (requirements-ray.txt)")
from ray.cluster_utils import Cluster  # noqa: E402

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each on this machine."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)  # of the workers: this module's functions go by name
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        nodes = {"num_cpus": 1}
        patience = {"health_check_timeout_ms": 60_000}  # a busy machine is no dead node
        found = Cluster(initialize_head=True, head_node_args={**nodes, "_system_config": patience})
        found.add_node(**nodes)
        patch.setenv("RAY_ADDRESS", found.address)
        yield found
        ray.shutdown()
        found.shutdown()
