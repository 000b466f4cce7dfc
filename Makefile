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
	$(CARGO) test --workspace --locked

# What CI runs besides the tests.
check: needs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --quiet --locked --test tests house

# Any number of simulated worlds; a failure prints its seed.
simulate: needs
	SIMULATE_SEEDS=$(SEEDS) $(CARGO) test --locked --profile simulate --test tests simulate -- --nocapture

install:
	install -D -m 755 target/release/kick-monitor $(DESTDIR)$(PREFIX)/bin/kick-monitor
	install -D -m 644 etc/kick-monitor.env $(DESTDIR)$(PREFIX)/share/kick-monitor/kick-monitor.env

clean:
	$(CARGO) clean

needs:
	@tests/needs.sh
