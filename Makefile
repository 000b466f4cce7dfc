# run: with a .env here the real thing, without one a demonstration. test: everything, from nothing.
CARGO ?= cargo
PREFIX ?= /usr/local
SEEDS ?= 1000
ROUNDS ?= 3
MINUTES ?= 30

.PHONY: run build test interop check bench bench-compare bench-unpushed faults soak simulate install deb package-test clean needs

run: build
	@$(CARGO) run --quiet --release --locked --package lab --bin demo -- $(if $(SECONDS),--seconds $(SECONDS))

build: needs
	$(CARGO) build --release --locked --package kick-monitor --package lab --bins

# Most tests wait for sockets and deadlines: more of them at once than there are processors.
test: needs
	@rm -rf target/events-seen && mkdir -p target/events-seen
	EVENTS_SEEN=$(CURDIR)/target/events-seen RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} $(CARGO) test --workspace --locked -- --skip interop::
	@tests/events-seen.sh target/events-seen

# Against a Pusher server and a Centrifugo client that others wrote, from npm.
interop: needs
	@tests/needs.sh interop
	@mkdir -p target/interop
	@cp tests/interop/package.json tests/interop/package-lock.json tests/interop/centrifuge.mjs target/interop
	@cd target/interop && { cmp -s package-lock.json installed \
		|| { npm ci --ignore-scripts --no-audit --no-fund && cp package-lock.json installed; }; }
	$(CARGO) test --locked --test tests -- interop::

# Every fault on every way out of the program, and what came of it.
faults: needs
	@rm -rf target/faults && mkdir -p target/faults
	FAULTS_MATRIX=$(CURDIR)/target/faults RUST_TEST_THREADS=8 $(CARGO) test --locked --test tests -- faults::ways faults::database faults::rows faults::machine faults::outage
	@tests/faults.sh target/faults

# What CI runs besides the tests.
check: needs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --quiet --locked --test tests house

# A long life of the real program with everything going wrong.
soak: needs
	SOAK_SECONDS=$$(($(MINUTES) * 60)) $(CARGO) test --locked --test tests -- --nocapture faults::soak

# Any number of simulated worlds; a failure prints its seed.
simulate: needs
	SIMULATE_SEEDS=$(SEEDS) $(CARGO) test --locked --test tests simulate -- --nocapture

# How fast it is beside the least that could do its work, and beside what a user would write instead.
bench: build
	@tests/bench/peers.sh
	$(CARGO) run --quiet --release --locked --package bench -- $(ROUNDS)

# How late a change is where push does not tell of it, at four sizes, or at SIZES="50 200": half an hour.
bench-unpushed: build
	@tests/bench/peers.sh
	$(CARGO) run --quiet --release --locked --package bench -- unpushed $(SIZES)

# The same with the kick-monitor of another revision beside it: make bench-compare BASE=v0.1.0
bench-compare: build
	@rm -rf target/bench-base && git worktree prune
	git worktree add --quiet --detach target/bench-base $(BASE)
	cd target/bench-base && CARGO_TARGET_DIR=$(CURDIR)/target/bench-build $(CARGO) build --release --locked --bin kick-monitor
	git worktree remove --force target/bench-base
	$(CARGO) run --quiet --release --locked --package bench -- $(ROUNDS) '$(BASE)=target/bench-build/release/kick-monitor'

install:
	install -D -m 755 target/release/kick-monitor $(DESTDIR)$(PREFIX)/bin/kick-monitor
	install -D -m 644 etc/kick-monitor.env $(DESTDIR)$(PREFIX)/share/kick-monitor/kick-monitor.env
	install -D -m 644 etc/kick-monitor.rules.yml $(DESTDIR)$(PREFIX)/share/kick-monitor/kick-monitor.rules.yml
	install -D -m 644 debian/kick-monitor.service $(DESTDIR)$(PREFIX)/lib/systemd/system/kick-monitor.service
	sed -i 's|/usr/bin/kick-monitor|$(PREFIX)/bin/kick-monitor|' \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/kick-monitor.service

# The Debian package, in target/deb, of a copy of the tree: nothing is left beside the sources. The
# profile says that cargo is not a Debian package's.
deb:
	@tests/needs.sh deb
	rm -rf target/deb
	mkdir -p target/deb/kick-monitor
	tar -c --exclude=./target --exclude=./.git --exclude=./.env . | tar -x -C target/deb/kick-monitor
	cd target/deb/kick-monitor && CARGO_TARGET_DIR=$(CURDIR)/target/deb-build dpkg-buildpackage -b -us -uc \
		$$(dpkg -S "$$(command -v $(CARGO))" >/dev/null 2>&1 || echo -Ppkg.kick-monitor.rustup)
	@ls target/deb/*.deb

# What the package does on real machines, as root. All of it takes long: make package-test STAGES="lsb lint"
package-test:
	@tests/needs.sh package-test
	tests/package/run $(STAGES)

clean:
	$(CARGO) clean

needs:
	@tests/needs.sh
