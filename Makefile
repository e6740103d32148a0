PREFIX ?= /usr/local
SWIFT ?= swift
export NUMCHECK_STRICT := 1

.PHONY: all demo test lint proofs arm64 fuzz sanitize client gate pages docs examples field wheel wheel-test install dist bench deps clean

all: deps
	$(SWIFT) build -c release

# What a machine with only the Swift toolchain lacks (headers of MPFR and zlib): see Scripts/dependencies.
deps:
	@Scripts/dependencies

demo: deps
	$(SWIFT) build -c release --product numcheck
	.build/release/numcheck softmax --dtype f16 --range 1000

test: deps
	$(SWIFT) build
	$(SWIFT) test -c release

lint:
	swift format lint --strict --recursive Sources Tests Benchmarks Package.swift

# The proofs of Documentation/CertifiedReference.md by Gappa and Sollya, on the C code as it stands; where they are installed.
proofs:
	Proofs/run

# The C of the proofs gives the same bits on arm64, emulated, as here; where a cross compiler and qemu are installed.
arm64:
	Proofs/processors/compare $(ROWS)

# Attacks on the built command, SECONDS each: mutated files, hostile names, flags, outputs that are inputs, signals, narrow limits.
SECONDS ?= 300
SEED ?= 1
fuzz: deps
	$(SWIFT) build -c release --product numcheck
	Scripts/fuzz/run $(SECONDS) $(SEED)

# The tests under AddressSanitizer, and the command's threads under ThreadSanitizer.
sanitize: deps
	Scripts/sanitize

# A package outside that brings its own kernel and question.
client: deps
	Scripts/client

# This repository's own numbers, held to numcheck.yml and numcheck.lock; the report as a page, too.
gate: deps
	$(SWIFT) build -c release --product numcheck
	.build/release/numcheck gate --report html=.build/gate.html

# Pages of every kind in a headless browser, where there is one: see Scripts/page-test.
pages: deps
	$(SWIFT) build -c release --product numcheck
	Scripts/pages .build/release/numcheck

# The libraries' documentation, .build/docs, by the toolchain's DocC; a broken link or an undocumented parameter is an error.
docs: deps
	$(SWIFT) build
	Scripts/docs

# A binary that runs without the toolchain: Swift's standard library linked statically, MPFR, GMP and SQLite dynamically; with
# completions for bash, zsh and fish and a manual page.
install: deps
	$(SWIFT) build -c release --product numcheck --static-swift-stdlib
	Scripts/install "$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/numcheck" "$(DESTDIR)$(PREFIX)"
	install -d "$(DESTDIR)$(PREFIX)/include"
	install -m 644 Sources/CGuests/include/numcheck_kernel.h "$(DESTDIR)$(PREFIX)/include/numcheck_kernel.h"

# .build/dist: a tarball that runs from any folder with the libraries beside it, and a package for Debian where dpkg-deb is.
dist: deps
	$(SWIFT) build -c release --product numcheck --static-swift-stdlib -Xlinker -rpath -Xlinker '$$ORIGIN/../lib'
	Scripts/dist "$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/numcheck" .build/dist

# A Python wheel in .build/wheels that carries the command, and MPFR, GMP and zlib beside it: a build of its own, for its libraries
# are found from where it stands.
wheel: deps
	$(SWIFT) build -c release --product numcheck --static-swift-stdlib --scratch-path .build/wheel \
	  -Xlinker -rpath -Xlinker '$$ORIGIN/../lib'
	Scripts/wheel .build/wheel/release/numcheck .build/wheels

# Installs the wheel in a fresh virtual environment and runs the package's tests there.
wheel-test: wheel
	Scripts/wheel-test

# Kernels of others, right and wrong, in every way in: Examples/verify.
examples: deps
	$(SWIFT) build -c release --product numcheck
	Examples/verify/run --numcheck .build/release/numcheck

# Judges what can be installed from PyPI here, in a virtual environment, and writes Documentation/Field.md.
field: deps
	$(SWIFT) build -c release --product numcheck
	Scripts/field

bench: deps
	Benchmarks/run

clean:
	rm -rf .build
