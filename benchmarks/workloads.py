"""The programs that seccomp/frequencies.tsv is recorded from, each as two shell scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that containers do, small enough to be traced in seconds."""

    name: str
    about: str
    needs: tuple[str, ...]
    """Programs that must be there."""
    run: str
    """What is traced, by sh -e in an empty directory."""
    prepare: str = ""
    """What is done there before, untraced."""
    root: bool = False
    weight: int = 1
    """2: nearly every image has the like of it."""


_MODULES = (
    "argparse, asyncio, concurrent.futures, csv, decimal, email.message, http.server, json, "
    "logging.config, multiprocessing, sqlite3, ssl, subprocess, tempfile, unittest, xml.dom.minidom"
)

_TINY_PROJECT = r"""
for i in $(seq 16); do
    printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n' > f$i.c
    printf 'int f%s(int n) { char b[9]; snprintf(b, 9, "%%d", n); return strlen(b); }\n' $i >> f$i.c
done
printf 'int f1(int); int main(void) { return f1(7) - 1; }\n' > main.c
printf 'OBJECTS = $(patsubst %%.c,%%.o,$(wildcard *.c))\n' > Makefile
printf 'program: $(OBJECTS)\n\tgcc -o $@ $^\n' >> Makefile
printf '%%.o: %%.c\n\tgcc -O2 -Wall -c -o $@ $<\n' >> Makefile
"""

_BASH = r"""
for i in $(seq 60); do
    x=$(echo "$i" | sed s/1/2/ | tr 2 3)
    if [ -f /etc/passwd ] && [ ! -e "no$x" ]; then echo "$x" >> out; fi
    case $(wc -l < out) in *0) sort -n out > sorted; mv sorted out ;; esac
done
while IFS=: read -r name _ uid rest; do echo "$uid $name"; done < /etc/passwd | grep -c 1
cat out | awk '{ s += $1 } END { print s }'
"""

_BUSYBOX = r"""
i=0
while [ $i -lt 60 ]; do
    i=$((i + 1))
    busybox mkdir -p d/$i; echo $i > d/$i/f; busybox cp d/$i/f d/$i/g
    busybox grep -q $i d/$i/g && busybox ls -l d/$i | busybox wc -l
done
busybox find d -type f | busybox xargs busybox md5sum | busybox sort | busybox head -n 3
busybox rm -r d
"""

_THREADS = r"""
import functools, http.client, http.server, os, threading
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="site")
handler.func.log_message = lambda *words: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
child = os.fork()
if child == 0:
    for number in range(300):
        client = http.client.HTTPConnection(*server.server_address)
        client.request("GET", f"/{number % 8}.txt")
        assert len(client.getresponse().read()) > 1000
        client.close()
    os._exit(0)
threading.Thread(target=server.serve_forever, daemon=True).start()
assert os.waitpid(child, 0)[1] == 0
server.shutdown()
"""

_NODE = r"""
const http = require("http"), fs = require("fs");
const server = http.createServer((request, response) => {
  fs.readFile("site" + request.url, (error, data) => response.end(data));
});
server.listen(0, "127.0.0.1", () => {
  const get = (left) => left ? http.get(
    { port: server.address().port, path: `/${left % 8}.txt`, agent: false },
    (answer) => { answer.resume(); answer.on("end", () => get(left - 1)); }) : server.close();
  get(300);
});
"""

_SITE = "mkdir site; for i in $(seq 0 7); do seq 2000 > site/$i.txt; done"

_SQL = r"""
{
    echo 'create table t (id integer primary key, name text, n integer);'
    for i in $(seq 150); do echo "insert into t (name, n) values ('name $i', $i * 7 % 50);"; done
    echo 'create index i on t (n);'
    for i in $(seq 50); do echo "select count(*) from t where n = $i;"; done
    echo 'begin; update t set n = n + 1; commit; vacuum;'
} > script.sql
"""

_PERL = r"""
use strict; use warnings; use File::Find; use File::Temp qw(tempfile); use POSIX qw(strftime);
my (%seen, $lines);
find(sub {
    return unless -f && /\.h$/;
    open my $in, "<", $_ or die;
    while (<$in>) { $lines++; $seen{$1}++ if /#\s*include\s+<(.*?)>/ }
    close $in }, "/usr/include/linux");
my ($out, $name) = tempfile(UNLINK => 1);
print $out "$_ $seen{$_}\n" for sort keys %seen;
close $out;
print strftime("%F", gmtime), " $lines ", `wc -l < $name`;
"""

_GIT = r"""
git init -q a
cd a
git config user.name a; git config user.email a@example.org
for i in $(seq 20); do mkdir -p d$((i % 4)); seq $i 300 > d$((i % 4))/f$i; done
git add .; git commit -q -m one
for i in 1 2 3; do seq $i 90 >> d1/f1; git commit -q -a -m "more $i"; done
git status --short; git log --stat > /dev/null; git diff HEAD~2 > /dev/null
git checkout -q -b other HEAD~1; git gc -q
cd ..; git clone -q a b
"""

_BUNDLE = r"""
mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys
cp /bin/busybox rootfs/bin/sh
runc spec
python3 - <<'END'
import json
config = json.load(open("config.json"))
config["process"] |= {"terminal": False, "args": ["sh", "-c", "echo started"]}
linux = config["linux"]
linux.pop("resources", None)
linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "cgroup"]
config["mounts"] = [each for each in config["mounts"] if each["type"] != "cgroup"]
json.dump(config, open("config.json", "w"))
END
"""

WORKLOADS = (
    Workload("python", "Python imports", ("python3",), f"python3 -c 'import {_MODULES}'", weight=2),
    Workload("ls", "ls -lR", ("ls",), "ls -lR /usr/include /etc > /dev/null", weight=2),
    Workload("make", "make and gcc", ("make", "gcc"), "make -s -j2", _TINY_PROJECT, weight=2),
    Workload("bash", "a bash script", ("bash",), "bash script", f"cat > script <<'END'{_BASH}END"),
    Workload(
        "busybox", "a busybox script", ("busybox",),
        "busybox sh script > /dev/null", f"cat > script <<'END'{_BUSYBOX}END", weight=2,
    ),
    Workload(
        "tar", "tar and gzip", ("tar", "gzip"),
        "tar -czf a.tgz -C /usr/include linux\nmkdir x; tar -xzf a.tgz -C x\n"
        "gzip -dc a.tgz | sha256sum; rm -r x",
    ),
    Workload(
        "http", "a threaded Python server under load", ("python3",),
        "python3 server.py", f"{_SITE}\ncat > server.py <<'END'{_THREADS}END",
    ),
    Workload(
        "node", "a node server under load", ("node",),
        "node server.js", f"{_SITE}\ncat > server.js <<'END'{_NODE}END", weight=2,
    ),
    Workload("sqlite", "sqlite3", ("sqlite3",), "sqlite3 db < script.sql > /dev/null", _SQL),
    Workload("perl", "perl", ("perl",), "perl script", f"cat > script <<'END'{_PERL}END"),
    Workload("git", "git", ("git",), "sh -e script", f"cat > script <<'END'{_GIT}END"),
    Workload(
        "runc", "runc starting a container", ("runc", "busybox", "python3"),
        "runc --root state run stockade-frequencies", _BUNDLE, root=True,
    ),
)  # fmt: skip
"""However many calls one makes, only its weight counts."""
