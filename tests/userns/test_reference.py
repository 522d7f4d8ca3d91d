"""Every measured fault of subuid and subgid has a check, and every rule of the kernel is asked.

What the kernel makes of a map's text is in test_idmap.py, what programs make of a line in
test_id_programs.py and test_dockerd_ids.py. Here are the names of the checks, and the rules that
are about processes rather than texts.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from id_files import check_files

from stockade.lint.examples import shown
from stockade.lint.runner import Settings, run

LINE = b"alice:2000224256:65536\n"
PASSWD = b"root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"
REGISTRY = '{"version": 1, "blocks": {}, "tombstones": {"old": "2000224256:65536"}}'

FAULTS = {
    "subid-hex-number": b"alice:0x186a0:65536\n",
    "subid-octal-number": b"alice:0100000:65536\n",
    "subid-white-space": b"alice: 100000:65536\n",
    "subid-not-a-number": b"alice:100,000:65536\n",
    "subid-extra-field": b"alice:100000:65536:x\n",
    "subid-final-newline": LINE.rstrip(),
    "subid-carriage-return": b"alice:100000:65536\r\n",
    "subid-garbage-line": b"garbage\n" + LINE,
    "subid-large-number": b"alice:4294967296:65536\n",
    "subid-host-root": b"alice:4294967296:65536\n",
    "subid-system-ids": b"alice:1000:65536\n",
    "subid-beyond-last-id": b"alice:4294967000:65536\n",
    "subid-unknown-owner": b"gone:2000224256:65536\n",
    "subid-two-names": LINE + b"1000:2000289792:65536\n",
    "subid-shared-ids": LINE + b"bob:2000224256:65536\n",
    "subid-own-overlap": LINE + b"alice:2000224300:65536\n",
    "subid-duplicate-line": LINE + LINE,
    "subid-too-few-ids": b"alice:2000224256:65535\n",
    "subid-too-many-extents": b"".join(b"alice:%d:1\n" % (70000 + 2 * at) for at in range(341)),
    "subid-map-too-long": b"".join(b"alice:%d:65536\n" % (65536 * at) for at in range(9000, 9200)),
    "subid-reserved-span": b"alice:524288:65536\n",
    "subid-containers-pool": b"containers:0:65536\n",
    "subid-kubelet-range": b"kubelet:2000224257:65536\n",
    "subid-incus-several": b"root:2000224256:65536\nroot:2000289792:65536\n",
    "subid-readers-disagree": "\u2003alice:2000224256:65536\n".encode(),
}
HOSTS = {
    "subid-numeric-login": {"subuid": "7:2000224256:65536\n", "passwd": "7:x:8:8::/:/bin/sh\n"},
    "subid-uid-gid-differ": {"subgid": "alice:2000289792:65536\n"},
    "subid-one-file-only": {"subgid": ""},
    "subid-login-inside": {"passwd": "a:x:2000224300:8::/:/bin/sh\n"},
    "subid-group-inside": {"group": "staff:x:2000224300:\n"},
    "docker-remap-root": {"daemon.json": '{"userns-remap": "root"}'},
    "docker-remap-group": {"daemon.json": '{"userns-remap": "alice:staff"}'},
    "docker-remap-without-ranges": {"daemon.json": '{"userns-remap": "bob"}'},
    "drift-tombstone-in-use": {"registry": REGISTRY},
}
PLACES = {"registry": "var/lib/stockade/userns.json", "daemon.json": "etc/docker/daemon.json"}


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_of_a_file_has_its_check(check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("subuid").write_bytes(FAULTS[check])
    Path("passwd").write_bytes(PASSWD)
    assert check in {each.id for each in run(["./subuid"], Settings.of()).findings}


@pytest.mark.parametrize("check", HOSTS)
def test_a_fault_of_a_host_has_its_check(check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"subuid": LINE.decode(), "subgid": LINE.decode(), "passwd": PASSWD.decode()}
    files |= HOSTS[check]
    text = shown({PLACES.get(name, f"etc/{name}"): each for name, each in files.items()})
    assert check in {each.id for each in check_files(text, Settings.of()).findings}


SCRIPT = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)

def new():
    if libc.unshare(0x10000000):  # CLONE_NEWUSER
        return errno.errorcode[ctypes.get_errno()]

def drop():
    os.setgroups([])
    os.setgid(1234)
    os.setuid(1234)
    libc.prctl(4, 1)  # PR_SET_DUMPABLE: /proc/self is then its own again

def write(name, text):
    handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(handle)

def nested():
    for level in range(100):
        failed = new()
        if failed:
            return level, failed
        for name, text in (("uid_map", "0 0 1"), ("setgroups", "deny"), ("gid_map", "0 0 1")):
            assert write(name, text) is None

"""


def asked(code: str) -> str:
    """What a process says that makes user namespaces."""
    done = subprocess.run([sys.executable, "-c", SCRIPT + code], capture_output=True, text=True)
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.userns
@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("new(); print(write('uid_map', '0 0 1'), write('uid_map', '0 0 1'))", "None EPERM"),
        ("new(); print(write('uid_map', '0 0 0'), write('uid_map', '0 0 1'))", "EINVAL None"),
        ("print(*nested())", "33 ENOSPC"),
        # Without privileges: one line, one id, one's own, and no group before setgroups(2) is off.
        ("drop(); new(); print(write('uid_map', '0 1234 1\\n1 1235 1'))", "EPERM"),
        ("drop(); new(); print(write('uid_map', '0 1234 2'))", "EPERM"),
        ("drop(); new(); print(write('uid_map', '0 1235 1'))", "EPERM"),
        ("drop(); new(); print(write('uid_map', '0 1234 1'))", "None"),
        ("drop(); new(); print(write('gid_map', '0 1234 1'), "
         "write('setgroups', 'deny'), write('gid_map', '0 1234 1'))", "EPERM None None"),
    ],
)  # fmt: skip
def test_rules_of_the_kernel_about_processes(code, answer, require):
    require(os.geteuid() == 0, "needs root")
    assert asked(code) == answer
