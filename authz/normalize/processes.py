"""Arguments of `docker top`, which the engine gives to the host's ps.

ps shows environments too (`auxe`; a field of that name), to whoever may only look. What it cannot
read as it stands it reads once more as if there were no dashes (`-aux -fe`), so only arguments are
taken here that were seen to show none, of one word or one list of fields.
"""

from __future__ import annotations

import re

from .values import deny

_WORDS = frozenset(
    """
    -A -Af -e -f -l -F -L -T -H -ef -el -eF -eLf -efL -eT -efH -fH -fe -fL -aux aux auxw auxww ax
    axf axl axu af au a u x f l w ww -w -ww faux auxf --forest
    """.split()
)
_FIELDS_FOLLOW = frozenset("-o -eo -Ao o axo ao xo".split())
_FIELDS = frozenset(
    """
    args bsdstart bsdtime c cgroup class cls cmd comm command cp cputime cpuid %cpu pcpu drs egid
    egroup etime etimes euid euser f fgid fgroup flags fname fuid fuser gid group ipcns label lstart
    lwp maj_flt majfl %mem pmem min_flt minfl mntns netns ni nice nlwp ns pgid pgrp pid pidns policy
    ppid pri psr rgid rgroup rss rssize rsz rtprio ruid ruser s sched sess session sid sgi_p size
    sgid spid start start_time stat state stime suid sz thcount tid time tname tpgid tt tty ucmd
    ucomm uid uname user userns utsns vsize vsz wchan
    """.split()
)
_TITLED = re.compile(r"([%a-z_]+)(?:=[A-Za-z]*)?")


def ps_arguments(said: str) -> str:
    """Those that show no environment, as they stand. Raises Denied for all others."""
    match said.split():
        case []:
            return said
        case [word] if word in _WORDS:
            return said
        case [word, fields] if word in _FIELDS_FOLLOW and all(map(_is_field, fields.split(","))):
            return said
    return deny(
        "refused-query",
        f"ps_args {said[:80]!r} may show environments; say `-ef`, `aux` or `-eo pid,cmd`",
    )


def _is_field(text: str) -> bool:
    found = _TITLED.fullmatch(text)
    return found is not None and found[1] in _FIELDS
