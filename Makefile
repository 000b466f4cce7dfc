# run: with a .env here the real thing, without one a demonstration. test: everything, from nothing.
CARGO ?= cargo
PREFIX ?= /usr/local
SEEDS ?= 1000

.PHONY: run build test check simulate install clean needs

run: build
	@$(CARGO) run --quiet --release --locked --package lab --bin demo -- $(if $(SECONDS),--seconds $(SECONDS))

build: needs
	$(CARGO) build --release --locked --package kick-monitor --package lab --bins

test: needs
	@rm -rf target/events-seen && mkdir -p target/events-seen
	EVENTS_SEEN=$(CURDIR)/target/events-seen $(CARGO) test --workspace --locked
	@tests/events-seen.sh target/events-seen

# What CI runs besides the tests.
check: needs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --quiet --locked --test tests house

# Any number of simulated worlds; a failure prints its seed.
simulate: needs
	SIMULATE_SEEDS=$(SEEDS) $(CARGO) test --locked --test tests simulate -- --nocapture

install:
	install -D -m 755 target/release/kick-monitor $(DESTDIR)$(PREFIX)/bin/kick-monitor
	install -D -m 644 etc/kick-monitor.env $(DESTDIR)$(PREFIX)/share/kick-monitor/kick-monitor.env
	install -D -m 644 etc/kick-monitor.rules.yml $(DESTDIR)$(PREFIX)/share/kick-monitor/kick-monitor.rules.yml

clean:
	$(CARGO) clean

needs:
	@tests/needs.sh
