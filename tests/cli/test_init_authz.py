"""`stockade init --authz`: the library's example, as a file to change."""

import shlex


def test_it_leads_to_a_policy_that_works(stockade, tmp_path):
    done = stockade("init", "--authz")
    assert done.returncode == 0
    assert "\nname: authz\n" in (tmp_path / "authz.yaml").read_text()
    steps = [shlex.split(line)[1:] for line in done.stderr.splitlines() if "stockade" in line]
    check, test, explain, install = steps
    assert stockade(*check, "--no-engine").returncode == 0
    assert stockade(*test).returncode == 0
    assert "privileged" in stockade(*explain).stdout
    (tmp_path / "root").mkdir()
    assert stockade(*install, "--root", "root").returncode == 0
    assert stockade("lint", "authz.yaml").returncode == 0
    assert stockade("init", "--authz").returncode == 2


def test_it_has_the_name_of_its_file(stockade, tmp_path):
    assert stockade("init", "--authz", "my-Host.yaml").returncode == 0
    text = (tmp_path / "my-Host.yaml").read_text()
    assert "\nname: my-host\n" in text
    assert "stockade authz check my-Host.yaml" in text


def test_what_given_did_not_make_is_said(stockade):
    """A container's name has two characters or more."""
    done = stockade("authz", "explain", "team", "--given", "run --name x alpine", "docker", "ps")
    assert "made nothing: 'x' is not a name" in " ".join(done.stderr.split())
    done = stockade("authz", "explain", "team", "--given", "run --pid host alpine", "docker", "ps")
    assert "counts as made" in " ".join(done.stderr.split())


def test_nobody_is_named_before_rules_were_asked(stockade):
    done = stockade("authz", "explain", "team", "GET", "/no-such-route")
    assert done.returncode == 1
    assert "asked by local\n" in done.stdout
