"""A docker command line as the API requests that the docker client sends for it.

words ─read_words─► Words ─handler─► ApiRequest, …

The client's own files (profiles, env files) are read through a Machine, so that this stays
free of effects. What is not known is an error, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import containers, images, swarm, things
from .model import Api, ApiRequest, Machine
from .options import read_words

_HANDLERS = {**containers.HANDLERS, **images.HANDLERS, **things.HANDLERS, **swarm.HANDLERS}

__all__ = ["Api", "ApiRequest", "Machine", "api_requests"]


def api_requests(words: Sequence[str], api: Api, machine: Machine) -> tuple[ApiRequest, ...]:
    """The requests of `docker run …`, in the order in which they are sent.

    Raises InputError for a command, option or value that is not known.
    """
    read = read_words(words)
    return tuple(_HANDLERS[read.command](read, api, machine))
