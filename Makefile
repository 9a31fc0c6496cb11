# make demo   runs the gateway on its embedded default, on 127.0.0.1, until Ctrl-C
# make test   checks and tests everything, with real servers and mail programs
# make lambda   writes the zip of the functions for AWS Lambda
# make deb    writes the Debian packages, each built in its own release
# make image    writes the image for containers
#
# All make what they need: virtual environments beside this file and, as root on Debian, a few packages.

PYTHON ?= python3
PYTEST_ARGUMENTS ?=
# How many processes share the suite. Much of it waits: a processor each is enough.
PROCESSES ?= 2
# The zip, and the Python whose libraries go into it.
LAMBDA ?= dist/sesmail-lambda.zip
LAMBDA_PYTHON ?= .venv/bin/python
# The image, and what it is built on: an image of a registry, or one of Debian's packages that is made for it.
IMAGE ?= dist/sesmail-image.tar
BASE ?=

export PYTHON
export PYTHONPATH = $(CURDIR)
# The suite starts hundreds of programs of ours, which must not be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

ENSURE = tests/packaging/ensure.sh
INSTALL = tests/packaging/install.sh
AXE = .venv-tools/node_modules/axe-core/axe.min.js
PROMTOOL = .venv-tools/bin/promtool
REQUIREMENTS = $(PYTHON) tests/packaging/requirements.py
PYTEST = -m pytest $(PYTEST_ARGUMENTS)
SUITE = $(PYTEST) -n $(PROCESSES) --dist loadfile
USERADD = useradd --system --no-create-home --shell /usr/sbin/nologin mailtos3
HYPOTHESIS = .venv/bin/python $(PYTEST) -m hypothesis --hypothesis-profile=fuzz

.PHONY: check-deb deb demo image check-image lambda test test-newest test-oldest lint types proof bench fuzz clean environments programs
.DELETE_ON_ERROR:

demo: .venv/runtime
	.venv/bin/python -m sesmail.cli.main demo

lambda: .venv/runtime
	$(LAMBDA_PYTHON) tests/packaging/lambdazip.py $(LAMBDA)

image:
	@$(ENSURE) buildah mmdebstrap
	etc/container/image.sh $(IMAGE) $(BASE)

# The roots of the releases are made by mmdebstrap, and kept in .roots for a week.
deb:
	$(PYTHON) -m tests.packaging.debian.build

# Installs what `make deb` has made in machines of their own: debian/tests, the page docs/install-debian.rst, and the tests of the code
# against the package.
check-deb: deb
	$(PYTHON) -m tests.packaging.debian.autopkgtests
	$(PYTHON) -m tests.packaging.debian.installpage
	$(PYTHON) -m tests.packaging.debian.suite

# Runs what `make image` has made, as Docker and Kubernetes run it.
check-image: image .venv/tests
	@$(ENSURE) runc
	.venv/bin/python $(PYTEST) tests/container/imagechecks.py

test: lint types test-newest

test-newest: .venv/tests .venv-tools/tools .venv-oracle/oracle programs
	.venv/bin/python $(SUITE)

test-oldest: .venv-oldest/tests .venv-tools/tools .venv-oracle/oracle programs
	.venv-oldest/bin/python $(SUITE)

lint: .venv-tools/tools
	.venv-tools/bin/ruff format --check .
	.venv-tools/bin/ruff check .
	.venv-tools/bin/lint-imports

# mypy sees the libraries beside itself: mypy-zope's stubs must lie where zope.interface does.
types: .venv-tools/tools
	.venv-tools/bin/mypy

# The long forms of what `make test` has a slice of.
proof: .venv/tests .venv-tools/tools .venv-oracle/oracle programs
	.venv/bin/python $(PYTEST) --proof
	$(HYPOTHESIS)

# A million talks, most of an hour on two cores; FUZZ_INPUTS and FUZZ_SEED make it another number or the same again.
fuzz: .venv/tests .venv-tools/tools
	.venv/bin/python $(PYTEST) --proof -k fuzz tests/proof
	$(HYPOTHESIS)

bench: .venv/tests .venv-tools/tools
	.venv/bin/python -m bench.pop3
	.venv-tools/bin/python -m bench.submission
	.venv/bin/python -m bench.aliases
	.venv/bin/python -m bench.delivery
	.venv/bin/python -m bench.sealed
	.venv/bin/python -m bench.deliver
	.venv/bin/python -m bench.counting
	.venv/bin/python -m bench.workers

clean:
	rm -rf .venv .venv-oldest .venv-tools .venv-oracle build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache twisted/plugins/dropin.cache
	find sesmail tests bench twisted -name __pycache__ -prune -exec rm -rf {} +

environments: .venv/tests .venv-oldest/tests .venv-tools/tools .venv-oracle/oracle

# The mail programs that the tests fetch and send with, servers to compare with, the browser for the page, and the user that mailtos3's
# line in master.cf names.
programs: $(AXE) $(PROMTOOL)
	@$(ENSURE) venv chromium chromedriver curl dovecot dovecot-lmtpd fetchmail getmail openssl postfix postfix-pcre swaks swaks-tls \
	    bash-completion fail2ban-regex journal-remote python3-systemd systemd-analyze
	@id mailtos3 >/dev/null 2>&1 || [ `id -u` = 0 ] || { echo "Run this as root, then try again: $(USERADD)" >&2; exit 1; }
	@id mailtos3 >/dev/null 2>&1 || $(USERADD)

.venv/runtime: setup.cfg
	@$(ENSURE) venv
	@$(INSTALL) .venv `$(REQUIREMENTS) | tr -d ' '`
	@touch $@

.venv/tests: .venv/runtime
	@$(INSTALL) .venv `$(REQUIREMENTS) argon2 metrics test | tr -d ' '`
	@touch $@

.venv-oldest/tests: tests/oldest.txt
	@$(ENSURE) venv
	@$(INSTALL) .venv-oldest -r tests/oldest.txt
	@.venv-oldest/bin/python -m pip --disable-pip-version-check check
	@touch $@

# AWS's own client for sealed objects, which needs other versions than we do.
.venv-oracle/oracle: tests/oracle.txt
	@$(ENSURE) venv
	@$(INSTALL) .venv-oracle -r tests/oracle.txt
	@touch $@

# What checks alerts and queries for Prometheus.
$(PROMTOOL): | .venv-tools/tools
	@tests/packaging/promtool.sh $@

# What finds things on a page that somebody could not use.
$(AXE): | .venv-tools/tools
	@$(ENSURE) npm
	@npm install --prefix .venv-tools --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --silent axe-core@4.14.1

.venv-tools/tools: setup.cfg
	@$(ENSURE) venv
	@$(INSTALL) .venv-tools `$(REQUIREMENTS) test tools | tr -d ' '`
	@touch $@
