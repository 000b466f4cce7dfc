# `make help` lists the targets: each has its line of help behind ##.
CARGO ?= cargo
PREFIX ?= /usr/local
SEEDS ?= 1000
ROUNDS ?= 3
MINUTES ?= 30
RELEASE = $${CARGO_TARGET_DIR:-target}/release

.PHONY: run help build test interop check mutants bench bench-build bench-compare bench-takeover bench-unpushed faults soak simulate picture install uninstall deb package-test clean needs

# Built programs are started as they are: cargo run would build them anew, for other packages.
run: ## The demonstration; with a file .env here, the real thing [SECONDS=20]
	@echo "make run: installs what is missing, builds (two to ten minutes the first time, then none), and starts"
	@if [ -e .env ]; then echo "kick-monitor with the file .env: the real Kick, and your database. Ctrl-C ends it."; \
	else echo "a demonstration on 127.0.0.1$(if $(SECONDS), of $(SECONDS) s). Ctrl-C ends it at any time; nothing is left but target/."; fi
	@tests/needs.sh run
	$(CARGO) build --release --locked --package kick-monitor --package lab --bins
	@$(RELEASE)/demo $(if $(SECONDS),--seconds $(SECONDS))

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.* ## / { printf "%-15s %s\n", $$1, $$2 }' Makefile

build: needs ## The program and the demonstration, optimised
	$(CARGO) build --release --locked --package kick-monitor --package lab --bins

# Most tests wait for sockets and deadlines: more of them at once than there are processors.
test: needs ## Every test, from nothing
	@rm -rf target/events-seen && mkdir -p target/events-seen
	EVENTS_SEEN=$(CURDIR)/target/events-seen RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} $(CARGO) test --workspace --locked -- --skip interop::
	@tests/events-seen.sh target/events-seen

interop: needs ## With parts of others: a Pusher server, a Centrifugo client, nginx, Prometheus
	@tests/needs.sh interop
	@mkdir -p target/interop
	@cp tests/interop/package.json tests/interop/package-lock.json tests/interop/centrifuge.mjs target/interop
	@cd target/interop && { cmp -s package-lock.json installed \
		|| { npm ci --ignore-scripts --no-audit --no-fund && cp package-lock.json installed; }; }
	$(CARGO) test --locked --test tests -- interop::

faults: needs ## Every fault on every connection of the program; prints what came of each
	@rm -rf target/faults && mkdir -p target/faults
	FAULTS_MATRIX=$(CURDIR)/target/faults RUST_TEST_THREADS=8 $(CARGO) test --locked --test tests -- faults::ways faults::database faults::rows faults::machine faults::outage faults::webhooks
	@tests/faults.sh target/faults

check: needs ## Formatting, lints and the house rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --quiet --locked --test tests house

mutants: needs ## Changes to the program that its tests do not notice [PART=monitor SHARD=0/25, or DIFF=REVISION MOST=8]
	@command -v cargo-mutants >/dev/null || $(CARGO) install --locked cargo-mutants
	PART=$(PART) SHARD=$(SHARD) DIFF=$(DIFF) MOST=$(MOST) tests/mutants.sh

soak: needs ## A long life of the real program with everything going wrong [MINUTES=30]
	SOAK_SECONDS=$$(($(MINUTES) * 60)) $(CARGO) test --locked --test tests -- --nocapture faults::soak

simulate: needs ## Simulated days of the core; a failure prints its seed [SEEDS=1000]
	SIMULATE_SEEDS=$(SEEDS) $(CARGO) test --locked --test tests simulate -- --nocapture

bench-build: needs
	@tests/bench/peers.sh
	$(CARGO) build --release --locked --package kick-monitor --package lab --package bench --bins

bench: bench-build ## Speed and memory, beside minimal programs and scripts [ROUNDS=3]
	$(RELEASE)/bench $(ROUNDS)

bench-unpushed: bench-build ## How late a change is where push does not report it: half an hour [SIZES="50 200"]
	$(RELEASE)/bench unpushed $(SIZES)

bench-takeover: bench-build ## How long until another instance has everybody right: half an hour [SIZES="20 10000"]
	$(RELEASE)/bench takeover $(SIZES)

bench-compare: bench-build ## As bench, beside another revision of kick-monitor [BASE=v0.1.0]
	@rm -rf target/bench-base && git worktree prune
	git worktree add --quiet --detach target/bench-base $(BASE)
	cd target/bench-base && CARGO_TARGET_DIR=$(CURDIR)/target/bench-build $(CARGO) build --release --locked --bin kick-monitor
	git worktree remove --force target/bench-base
	$(RELEASE)/bench $(ROUNDS) '$(BASE)=target/bench-build/release/kick-monitor'

picture: build ## docs/demonstration.svg, from a real run
	@tests/picture/run.sh $(RELEASE)/demo

install: ## Program, unit, manual pages, completion and examples [PREFIX=/usr/local DESTDIR=]
	@command -v go-md2man >/dev/null || tests/needs.sh install go-md2man
	install -D -m 755 target/release/kick-monitor $(DESTDIR)$(PREFIX)/bin/kick-monitor
	for file in kick-monitor.env kick-monitor.rules.yml kick-monitor.dashboard.json; do \
		install -D -m 644 etc/$$file $(DESTDIR)$(PREFIX)/share/kick-monitor/$$file || exit; \
	done
	install -D -m 644 debian/completions/kick-monitor \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kick-monitor
	for page in kick-monitor.8 kick-monitor.env.5; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} || exit; \
		etc/man/page etc/man/$$page.md >$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page || exit; \
	done
	install -D -m 644 debian/kick-monitor.service $(DESTDIR)$(PREFIX)/lib/systemd/system/kick-monitor.service
	sed -i 's|/usr/bin/kick-monitor|$(PREFIX)/bin/kick-monitor|' \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/kick-monitor.service

uninstall: ## What make install has installed; the configuration stays [PREFIX=/usr/local DESTDIR=]
	rm -f $(DESTDIR)$(PREFIX)/bin/kick-monitor \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kick-monitor \
		$(DESTDIR)$(PREFIX)/share/man/man8/kick-monitor.8 $(DESTDIR)$(PREFIX)/share/man/man5/kick-monitor.env.5 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/kick-monitor.service
	rm -rf $(DESTDIR)$(PREFIX)/share/kick-monitor

# Made from a copy of the tree, so that nothing is left beside the sources. The profile says that cargo
# does not come from a Debian package.
deb: ## The Debian package, in target/deb
	@tests/needs.sh deb
	rm -rf target/deb
	mkdir -p target/deb/kick-monitor
	tar -c --exclude=./target --exclude=./.git --exclude=./.env . | tar -x -C target/deb/kick-monitor
	cd target/deb/kick-monitor && CARGO_TARGET_DIR=$(CURDIR)/target/deb-build dpkg-buildpackage -b -us -uc \
		$$(dpkg -S "$$(command -v $(CARGO))" >/dev/null 2>&1 || echo -Ppkg.kick-monitor.rustup)
	@ls target/deb/*.deb

package-test: ## The package on machines that boot, as root [STAGES="lsb lint"]
	@tests/needs.sh package-test
	tests/package/run $(STAGES)

clean: ## Everything that cargo built
	$(CARGO) clean

needs: ## Install what building and testing need and the machine lacks
	@tests/needs.sh
