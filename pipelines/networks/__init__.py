"""Networks by name: found, loaded, asked where there is a person, scored, exported."""

from pipelines.networks.base import Teacher
from pipelines.networks.loading import check_teacher, load_network, load_person_model, load_teacher
from pipelines.networks.names import check_network, check_trainable, parse_network, second_opinion
from sinet.network_ref import NetworkRef

__all__ = [
    "NetworkRef",
    "Teacher",
    "check_network",
    "check_teacher",
    "check_trainable",
    "load_network",
    "load_person_model",
    "load_teacher",
    "parse_network",
    "second_opinion",
]
