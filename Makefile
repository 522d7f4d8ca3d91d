# Each target does the set-up that it needs; the second time that costs nothing.
.PHONY: help demo test lint fuzz bench bench-seccomp bench-authz bench-userns clean

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: .venv/.ready-run ## Compile an example policy and confine a command by it
	@.ci/demo

test: .venv/.ready-test ## All tests; those whose parts this machine lacks are skipped
	@.venv/bin/pytest --numprocesses 2 --dist loadfile

lint: .venv/.ready-test ## ruff, its formatter, mypy --strict
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

fuzz: .venv/.ready-test ## The property tests with many new examples (slow)
	HYPOTHESIS_PROFILE=fuzz .venv/bin/pytest -m hypothesis

bench: .venv/.ready-test ## The figures of the README, beside libseccomp's
	@.venv/bin/python benchmarks/compile.py

bench-seccomp: .venv/.ready-test ## The filters' figures, beside libseccomp's and the runtimes'
	@.venv/bin/python benchmarks/filters.py

bench-authz: .venv/.ready-test ## The authorization plugin's figures, beside opa-docker-authz's
	@.venv/bin/python benchmarks/authz.py

bench-userns: .venv/.ready-test ## The allocation's figures: 28,664 tenants, 1,000,000 foreign lines
	@.venv/bin/python benchmarks/userns.py

clean: ## Remove what was built here, .venv too
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.ready-%: pyproject.toml .ci/setup
	@.ci/setup $*
	@touch $@
