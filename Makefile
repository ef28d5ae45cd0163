# ContainerMigrate. Every target installs what it needs, can be run twice, and is meant for root on Debian or Ubuntu.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CONFIGURATION := Release
DESTDIR :=
PUBLISH := artifacts/publish
STAGE := artifacts/install
SOURCES := $(shell find src -name bin -prune -o -name obj -prune -o -type f -print) Directory.Build.props Directory.Packages.props global.json
DOTNET_FLAGS := -c $(CONFIGURATION) -nodeReuse:false -v:quiet -nologo
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: sdk
sdk:
	@command -v dotnet >/dev/null || { apt-get update -qq && apt-get install -qq -y dotnet-sdk-10.0; } || \
	  { echo 'make: the .NET SDK 10 is needed, and no package of this system has it' >&2; exit 1; }

.PHONY: build
build: sdk ## everything, tests included
	dotnet build ContainerMigrate.sln $(DOTNET_FLAGS)

.PHONY: publish
publish: sdk $(PUBLISH)/.complete ## the programs, self-contained, in artifacts/publish

# Both into one folder: they share the runtime.
$(PUBLISH)/.complete: $(SOURCES)
	rm -rf $(PUBLISH)
	for project in Daemon Cli; do \
	  dotnet publish src/ContainerMigrate.$$project $(DOTNET_FLAGS) -r linux-x64 --self-contained \
	    -p:PublishReadyToRun=true -o $(PUBLISH); \
	done
	touch $@

.PHONY: install
install: publish ## programs, hooks, unit and default configuration, below DESTDIR
	install -d $(DESTDIR)/usr/lib/ctmigrate $(DESTDIR)/usr/bin $(DESTDIR)/usr/sbin $(DESTDIR)/usr/local/sbin \
	  $(DESTDIR)/etc/ctmigrate $(DESTDIR)/usr/lib/systemd/system
	find $(PUBLISH) -maxdepth 1 -type f ! -name '*.pdb' ! -name '*.xml' ! -name .complete ! -name createdump \
	  -exec install -m 644 -t $(DESTDIR)/usr/lib/ctmigrate {} +
	install -m 755 -t $(DESTDIR)/usr/lib/ctmigrate $(PUBLISH)/ctmigrate $(PUBLISH)/ctmigrated \
	  hooks/ctmigrate-runc hooks/ctmigrate-criu-hook hooks/ctmigrate-fence-hook
	install -m 644 -t $(DESTDIR)/usr/lib/ctmigrate hooks/ctmigrate-restore-lib
	install -D -m 755 -t $(DESTDIR)/usr/lib/ctmigrate/criu-path hooks/criu-path/criu hooks/criu-path/tar
	ln -sf ../lib/ctmigrate/ctmigrate $(DESTDIR)/usr/bin/ctmigrate
	ln -sf ../lib/ctmigrate/ctmigrated $(DESTDIR)/usr/sbin/ctmigrated
	ln -sf /usr/lib/ctmigrate/ctmigrate-runc $(DESTDIR)/usr/local/sbin/runc
	install -m 644 -t $(DESTDIR)/usr/lib/systemd/system packaging/ctmigrated.service packaging/ctmigrate-evacuate.service
	install -D -m 644 packaging/completions/ctmigrate.bash $(DESTDIR)/usr/share/bash-completion/completions/ctmigrate
	install -D -m 644 packaging/completions/_ctmigrate $(DESTDIR)/usr/share/zsh/vendor-completions/_ctmigrate
	[ -e $(DESTDIR)/etc/ctmigrate/ctmigrated.json ] || \
	  install -m 644 -t $(DESTDIR)/etc/ctmigrate packaging/ctmigrated.json

# What the lab's hosts get: a tree of its own, so that no file of an earlier version stays in it.
.PHONY: stage
stage: publish
	rm -rf $(STAGE)
	$(MAKE) install DESTDIR=$(STAGE) >/dev/null

.PHONY: demo
demo: stage ## a live migration; RUNTIME=docker|runc DOCKER=26|28 MEMORY=MiB DIRTY=MiB/s MODE=... JSON=1
	tests/lab/demo $(STAGE)

.PHONY: test
test: build stage ## unit, hook and host tests, a slice of the soak
	tests/run unit hooks host26 host28

.PHONY: test-unit
test-unit: build ## unit and hook tests
	tests/run unit hooks

.PHONY: test-host
test-host: build stage ## host tests, with both versions of Docker
	tests/run host26 host28

.PHONY: matrix
matrix: build stage ## whatever happens at whichever step, all cells, to artifacts/crash-matrix.md; DOCKER=26|28, CTM_MATRIX="moment x fault"
	CTM_MATRIX="$${CTM_MATRIX-all}" DOCKER=$(or $(DOCKER),26) tests/run matrix

.PHONY: endurance
endurance: build stage ## containers moved 50 times in a row under load; MOVES=N MEMORY=MiB SCALE=pgbench's DOCKER=26|28
	CTM_MOVES=$(or $(MOVES),50) CTM_MEMORY=$(or $(MEMORY),64) CTM_PGBENCH_SCALE=$(or $(SCALE),4) DOCKER=$(or $(DOCKER),28) tests/run endurance

.PHONY: soak
soak: build stage ## 300 migrations with faults at random times, to artifacts/soak.log; MOVES=N CTM_SEED=N DOCKER=26|28
	CTM_MOVES=$(or $(MOVES),300) DOCKER=$(or $(DOCKER),26) tests/run soak

.PHONY: test-vm
test-vm: build deb ## two virtual machines with Debian 13, the package installed as README says
	tests/run vm

.PHONY: test-soft-dirty
test-soft-dirty: build stage ## with the kernel of Debian 12 (soft-dirty) in a virtual machine: tests of memory, unit and host
	tests/lab/vm run tests/run soft-dirty-unit soft-dirty-host

.PHONY: bench
bench: build stage ## beside the other tools, to artifacts/bench.json; QUICK=1 takes the 256 MiB rows only
	tests/ContainerMigrate.Benchmarks/bin/$(CONFIGURATION)/net10.0/ContainerMigrate.Benchmarks $(if $(QUICK),--quick)

# Built in a copy, since dpkg-buildpackage leaves its results beside the tree.
.PHONY: deb
deb: publish ## the package, in artifacts/deb
	tests/need /usr/share/build-essential/list:build-essential dh:debhelper fakeroot:fakeroot lintian:lintian
	rm -rf artifacts/deb
	mkdir -p artifacts/deb/source
	tar --exclude=./.git --exclude=./artifacts/deb --exclude=./artifacts/install --exclude=bin --exclude=obj -c . | tar -C artifacts/deb/source -x
	cd artifacts/deb/source && dpkg-buildpackage --build=binary --no-sign
	rm -rf artifacts/deb/source
	lintian --fail-on error,warning artifacts/deb/*.deb

.PHONY: lab
lab: stage ## the lab, with both daemons running and paired; DOCKER=26|28
	tests/lab/lab up --docker $(or $(DOCKER),26)
	tests/lab/lab deploy $(STAGE)

.PHONY: lab-down
lab-down: ## removes the labs of lab, demo and test, whatever state they are in
	for lab in $${CTM_LAB:-ctm} ctmdemo ctmtest ctmbench ctmvm; do CTM_LAB=$$lab tests/lab/lab down; done

.PHONY: clean
clean: ## removes what was built here
	rm -rf artifacts
	find src tests -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
