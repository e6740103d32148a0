PREFIX ?= /usr/local
SWIFT ?= swift
export NUMCHECK_STRICT := 1

.PHONY: all demo test lint proofs arm64 fuzz sanitize client install wheel wheel-test examples field bench deps clean

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

# A binary that runs without the toolchain: Swift's standard library linked statically, MPFR and GMP dynamically.
install: deps
	$(SWIFT) build -c release --product numcheck --static-swift-stdlib
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/numcheck" "$(DESTDIR)$(PREFIX)/bin/numcheck"

	install -d "$(DESTDIR)$(PREFIX)/include"
	install -m 644 Sources/CGuests/include/numcheck_kernel.h "$(DESTDIR)$(PREFIX)/include/numcheck_kernel.h"

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
