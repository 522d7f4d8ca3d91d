"""A policy is replaced for all workers at once, or not at all."""

import json
import os
import signal
import stat
import threading
import time

import pytest


def revisions(service):
    return {service.ask({})["revision"] for _ in range(20)}


def test_a_changed_file_is_put_in_force(service):
    service.policy("two")
    service.says("policy stand-in in force, revision two")
    assert revisions(service) == {"two"}


def test_sighup_loads_at_once(service):
    service.process.send_signal(signal.SIGHUP)
    service.says("policy stand-in in force, revision one", 2)
    assert len(service.workers()) == 2


def test_workers_stay_on_reload(service):
    before = service.workers()
    service.policy("two")
    service.says("revision two")
    assert service.workers() == before


def test_a_file_that_the_policy_extends_is_watched(start, tmp_path):
    (tmp_path / "base").write_text("1")
    (tmp_path / "policy.json").write_text(json.dumps({"revision": "one", "files": ["base"]}))
    service = start()
    (tmp_path / "base").write_text("22")
    service.says("in force", 2)
    (tmp_path / "base").unlink()
    service.says("stays in force")
    (tmp_path / "base").write_text("333")
    service.says("in force, revision one", 3)


def test_a_replaced_file_of_the_same_size_and_time_is_noticed(service):
    path = service.directory / "policy.json"
    found = path.stat()
    new = path.with_suffix(".new")
    new.write_text(path.read_text().replace("one", "two"))
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.replace(path)
    service.says("revision two")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"revision" "two"}', "policy.json:1:13: not JSON"),
        ('{"revision": "two", "crash": 1}', "ended with signal SIGABRT"),
        ('{"revision": "two", "files": ["missing"]}', "No such file"),
        ("{}", "KeyError"),
        ("", "not JSON"),
    ],
)
def test_a_bad_policy_changes_nothing(service, eventually, text, said):
    path = service.directory / "policy.json"
    path.write_text(text)
    service.says("the old one stays in force, revision one")
    assert said in service.output
    assert revisions(service) == {"one"}
    status, health = eventually(
        lambda: "degraded" in (found := service.admin("/healthz"))[1] and found
    )
    assert status == 200
    assert json.loads(health)["reload_problems"]
    assert "stockade_authz_reload_failed_total 1.0" in service.admin("/metrics")[1]
    service.policy("three")
    service.says("revision three")
    assert revisions(service) == {"three"}
    eventually(lambda: '"ok"' in service.admin("/healthz")[1])


def test_a_worker_started_after_a_bad_policy_uses_the_old_one(service):
    (service.directory / "policy.json").write_text("broken")
    service.says("stays in force")
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
    service.says("ended with signal SIGKILL", 2)
    assert revisions(service) == {"one"}


def test_reloads_under_load_lose_no_call(service):
    stop, seen, failures = threading.Event(), [], []

    def client():
        connection = service.connection()
        try:
            while not stop.is_set():
                seen.append(connection.ask({})["revision"])
        except Exception as error:
            failures.append(error)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 5):
        service.policy(str(number))
        service.process.send_signal(signal.SIGHUP)
        service.says(f"revision {number}")
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert set(seen) >= {"one", "2", "3", "4"}
    order = {"one": 1, "2": 2, "3": 3, "4": 4}
    assert order[seen[-1]] == 4


def test_after_the_word_nobody_decides_by_the_old_one(service):
    """`in force` is said when the generation is raised: every later call looks at it."""
    for number in range(5):
        service.policy(f"new-{number}")
        service.process.send_signal(signal.SIGHUP)
        service.says(f"revision new-{number}")
        assert revisions(service) == {f"new-{number}"}


def test_a_bad_policy_at_the_start_is_bad_input(start, tmp_path):
    (tmp_path / "policy.json").write_text("{")
    service = start(wait=False)
    assert service.process.wait(20) == 2
    assert "policy.json:1:2" in service.output
    assert not service.socket.exists()


def test_the_compiled_policy_is_private(service):
    for path in [service.directory / "state", *(service.directory / "state").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
