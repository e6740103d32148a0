PREFIX ?= /usr/local
SWIFT ?= swift
export NUMCHECK_STRICT := 1

.PHONY: all demo test record lint proofs arm64 fuzz sanitize client gate pages docs relocatable examples field wheel wheel-test install dist bench deps clean

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

# Writes anew what tests hold as recorded: snapshots of output, the schema of gates, the table of figures. Read git diff then.
record: deps
	NUMCHECK_RECORD=1 $(SWIFT) test -c release --filter "SnapshotTests|schemaIsCurrent|FigureReferenceTests"

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
	Scripts/fuzz/coverage $(SECONDS) $(SEED)

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

# Pages of every kind in a headless browser, judged by axe-core too; installs both where it can: see Scripts/page-test.
pages: deps
	$(SWIFT) build -c release --product numcheck
	env $$(Scripts/browser) Scripts/pages .build/release/numcheck

# The libraries' documentation, .build/docs, by the toolchain's DocC; a broken link or an undocumented parameter is an error.
docs: deps
	$(SWIFT) build
	Scripts/docs

# A binary that runs without the toolchain, and from any folder; what is handed out shares it.
RELOCATABLE := .build/relocatable
relocatable: deps
	Scripts/relocatable $(RELOCATABLE)

# With completions for bash, zsh and fish, manual pages, and the header for kernels in libraries.
install: relocatable
	Scripts/install $(RELOCATABLE)/release/numcheck "$(DESTDIR)$(PREFIX)"
	install -d "$(DESTDIR)$(PREFIX)/include"
	install -m 644 Sources/CGuests/include/numcheck_kernel.h "$(DESTDIR)$(PREFIX)/include/numcheck_kernel.h"

# .build/dist: a tarball that runs from any folder with the libraries beside it, and a package for Debian where dpkg-deb is.
dist: relocatable
	Scripts/dist $(RELOCATABLE)/release/numcheck .build/dist

# A Python wheel in .build/wheels that carries the command, and MPFR, GMP and zlib beside it.
wheel: relocatable
	Scripts/wheel $(RELOCATABLE)/release/numcheck .build/wheels

# Installs the wheel in a fresh virtual environment and runs the package's tests there.
wheel-test: wheel
	Scripts/wheel-test

# Kernels of others, right and wrong, in every way in: Examples/verify; right ones with SEEDS seeds.
SEEDS ?= 5
examples: deps
	$(SWIFT) build -c release --product numcheck
	test -x .build/examples/bin/python || python3 -m venv .build/examples
	.build/examples/bin/pip install -q --disable-pip-version-check numpy ml_dtypes || echo "examples: no numpy can be had"
	.build/examples/bin/python Examples/verify/run --numcheck .build/release/numcheck --seeds $(SEEDS)

# Judges what can be installed from PyPI here, in a virtual environment, and writes Documentation/Field.md.
field: deps
	$(SWIFT) build -c release --product numcheck
	Scripts/field

bench: deps
	Benchmarks/run

clean:
	rm -rf .build
