# jmesh: one Makefile for everything; GNU make, which BSDs call gmake. `make help` tells the targets.
#
#   VARIANT=release|debug|san   what is built, in build/VARIANT (fuzz: by `make fuzz`)
#   CC=gcc|clang                the compiler
#   WERROR=                     let warnings pass (a newer compiler than ours)

VARIANT ?= release
BUILD   := build/$(VARIANT)
PREFIX  ?= /usr/local
DESTDIR ?=
MANPREFIX ?= $(PREFIX)/share
MANDIR  ?= $(MANPREFIX)/man
DATADIR ?= $(PREFIX)/share/jmesh
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
# Set to nothing, no examples are installed.
EXAMPLESDIR ?= $(PREFIX)/share/examples/jmesh
# Set to nothing, the relay's unit is not installed.
SYSTEMDDIR_Linux := $(PREFIX)/lib/systemd/system
VERSION := 0.1.0
WERROR  ?= -Werror
PKG_CONFIG ?= pkg-config
# Versions disagree on what is formatted; Debian 12 and 13 both have this one.
CLANG_FORMAT ?= clang-format-19
SYSTEM  := $(shell uname -s)
SYSTEMDDIR ?= $(SYSTEMDDIR_$(SYSTEM))

LIBS      := yaml-0.1 libcyaml libcurl libcjson libsodium libmicrohttpd gnutls hiredis
WARNINGS  := -Wall -Wextra -Werror=implicit-function-declaration -Wconversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes $(WERROR)
OPT_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_debug   := -O0
OPT_san     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_fuzz    := $(OPT_san) -fsanitize=fuzzer-no-link

ifeq ($(filter $(VARIANT),release debug san fuzz),)
$(error VARIANT is release, debug or san, not '$(VARIANT)')
endif

ALL_CFLAGS = -std=c17 -g -pthread $(OPT_$(VARIANT)) $(WARNINGS) $(CFLAGS)
# Packagers set CPPFLAGS and CFLAGS by the environment or by the command line; either adds to ours.
override CPPFLAGS += -I. -Isrc -DJMESH_VERSION='"$(VERSION)"'
LDLIBS     = -pthread

# What may be asked of the C library: POSIX everywhere, more in the files that say why they need it.
STANDARD       = -D_XOPEN_SOURCE=700
STANDARD_LINUX = -D_GNU_SOURCE
# flock(2) is in no standard; each C library has a word of its own that shows what is beside POSIX.
BESIDE_POSIX_FreeBSD = -D__BSD_VISIBLE=1
BESIDE_POSIX_Darwin  = -D_DARWIN_C_SOURCE
STANDARD_OS    = -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE $(BESIDE_POSIX_$(SYSTEM))

# Linux's own (namespaces) sits in files of its own; elsewhere they are left out.
LINUX_SRC := $(wildcard src/platform/netns*.c src/os/linux*.c)
PURE_SRC  := $(wildcard src/base/*.c schema/*.c reconciler/*.c)
LIB_SRC   := $(PURE_SRC) $(wildcard reconciler/drivers/*.c reconciler/run/*.c src/os/*.c src/platform/*.c \
	src/pairing/*.c src/relay/*.c src/cli/*.c)
LIB_SRC   := $(filter-out src/cli/main.c,$(wildcard $(sort $(LIB_SRC))))
ifneq ($(SYSTEM),Linux)
LIB_SRC   := $(filter-out $(LINUX_SRC),$(LIB_SRC))
endif
UNIT_SRC  := $(wildcard tests/unit/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
LOAD_SRC  := $(wildcard tests/load/*.c)
FUZZ_SRC  := $(wildcard tests/fuzz/*.c)
# What random input is given to: all that is pure, and the relay without its HTTP.
FUZZED_SRC := $(PURE_SRC) src/os/dice.c $(patsubst %,src/relay/%.c,limit memory metrics pack page peer proxy route service store store_memory)
SOURCES   := $(LIB_SRC) src/cli/main.c $(UNIT_SRC) $(BENCH_SRC) $(LOAD_SRC) $(FUZZ_SRC) $(wildcard tests/golden/*.c tests/lab/*.c)
FORMATTED := $(shell git ls-files -co --exclude-standard -- '*.c' '*.h' 2>/dev/null)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

# make V=1 prints the commands.
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-4s %s\n' $(1) $@
endif

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

# Asked once, and only when something is compiled.
$(BUILD)/flags.mk: Makefile
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists --print-errors $(LIBS) || { \
		echo 'libraries are missing; on Debian: sudo sh packaging/setup.sh' >&2; exit 1; }
	@{ echo "PKG_CFLAGS := $$($(PKG_CONFIG) --cflags $(LIBS))"; \
	   echo "PKG_LIBS := $$($(PKG_CONFIG) --libs $(LIBS))"; \
	   echo "UNIT_CFLAGS := $$($(PKG_CONFIG) --cflags criterion 2>/dev/null)"; \
	   echo "UNIT_LIBS := $$($(PKG_CONFIG) --libs criterion 2>/dev/null || echo -lcriterion)"; } >$@

ifeq ($(filter help clean,$(MAKECMDGOALS)),)
include $(BUILD)/flags.mk
endif

##@ Build
all: $(BUILD)/jmesh ## build jmesh (VARIANT=release|debug|san)

$(BUILD)/jmesh: $(call obj,src/cli/main.c) $(BUILD)/libjmesh.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

$(BUILD)/libjmesh.a: $(call obj,$(LIB_SRC))
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

$(call obj,$(LINUX_SRC)): STANDARD = $(STANDARD_LINUX)
$(call obj,$(filter src/os/%,$(LIB_SRC))): STANDARD = $(STANDARD_OS)
$(call obj,$(filter src/os/linux%,$(LIB_SRC))): STANDARD = $(STANDARD_LINUX)
$(call obj,$(UNIT_SRC) $(BENCH_SRC) $(LOAD_SRC) $(FUZZ_SRC) $(wildcard tests/golden/*.c tests/lab/*.c)): STANDARD = $(STANDARD_LINUX)
$(call obj,$(UNIT_SRC)): PKG_CFLAGS += $(UNIT_CFLAGS)

$(BUILD)/%.o: %.c $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -MMD -MP $(STANDARD) $(CPPFLAGS) $(PKG_CFLAGS) $(ALL_CFLAGS) -c -o $@ $<

-include $(patsubst %.c,$(BUILD)/%.d,$(SOURCES))

clean: ## remove build/
	rm -rf build

##@ Test
JOBS   := $(shell getconf _NPROCESSORS_ONLN)
GOLDEN := $(patsubst %,$(BUILD)/tests/golden/%,plan pf seal)

# Each lab is a machine of its own, so they run side by side. More than these get in each other's way: what waits
# for a daemon asks again and again.
LAB_JOBS ?= $(shell echo $$(($(JOBS) * 3 / 2)))
# netns, freebsd, freebsd-ssh, jailrun or all
LAB_PLATFORM ?= netns

# What is run sanitized in a lab: every driver, parser, command and platform once. What the other labs add is
# the kernel's doing, and runs in release; `make VARIANT=san lab LAB_PLATFORM=all` runs them all.
SAN_LABS := concurrent drift-dns drift-overlay hostile-relay json kill pairing relay relay-redis rendezvous revoke \
	status-roster drift-pf@freebsd pf-anchor@freebsd ssh@freebsd-ssh jrun@jailrun

check: ## everything: lint, fuzz, load for a moment, unit, golden and lab tests in release and sanitized
	$(MAKE) -j$(JOBS) VARIANT=release built
	$(MAKE) VARIANT=release lint
	$(MAKE) fuzz
	$(MAKE) VARIANT=release LAB_PLATFORM=all test
	$(MAKE) -j$(JOBS) VARIANT=san built
	$(MAKE) VARIANT=san unit golden
	$(MAKE) load SECONDS=10
	$(MAKE) VARIANT=san LAB="$(SAN_LABS)" lab

# What the tests are made of, which is compiled side by side; they themselves run one after the other.
built: $(BUILD)/jmesh $(BUILD)/tests/unit/unit $(GOLDEN) $(BUILD)/tests/load/load $(BUILD)/tests/lab/standin

test: unit golden lab ## unit, golden and lab tests in one variant

unit: $(BUILD)/jmesh $(BUILD)/tests/unit/unit ## unit tests
	@sh tests/lab/run -v $(BUILD) unit

$(BUILD)/tests/unit/unit: $(call obj,$(UNIT_SRC)) $(BUILD)/libjmesh.a | $(BUILD)/tests/unit/clock.so
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(UNIT_LIBS) $(LDLIBS)

# Never sanitized: a server that is not ours is started with it.
$(BUILD)/tests/unit/clock.so: tests/unit/preload/clock.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=c17 $(STANDARD_LINUX) -O2 $(WARNINGS) -shared -fPIC -o $@ $<

golden: $(BUILD)/jmesh $(GOLDEN) ## outputs compared with the files in tests/golden
	@sh tests/lab/run -v $(BUILD) golden

$(BUILD)/tests/golden/pf: $(BUILD)/tests/unit/pf_port.o
$(GOLDEN): $(BUILD)/tests/golden/%: $(BUILD)/tests/golden/%.o $(BUILD)/libjmesh.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

# Never sanitized: it stands for programs that are not ours. They are started so often that a C library counts
# which asks the processor nothing at its start: in a virtual machine each such question is the host's to answer.
STANDIN_CC := $(if $(shell command -v musl-gcc),musl-gcc -static,$(CC))

$(BUILD)/tests/lab/standin: tests/lab/standin.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(STANDIN_CC) -std=c17 $(STANDARD_LINUX) -O2 $(WARNINGS) -o $@ $<

lab: $(BUILD)/jmesh $(BUILD)/tests/lab/standin ## real daemons in a lab of namespaces (LAB=NAME[@PLATFORM]: one test)
	sh tests/lab/run -j $(LAB_JOBS) -p $(LAB_PLATFORM) $(BUILD) $(LAB)

demo: $(BUILD)/jmesh ## the main job, shown step by step in a lab
	sh tests/lab/run -v $(BUILD) demo

bench: ## speed and memory, each figure as a ratio beside its limit
	$(MAKE) VARIANT=release bench-run

bench-run: $(BUILD)/jmesh $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
	sh tests/bench/run $(BUILD)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libjmesh.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

# libFuzzer is clang's. One target more runs at a time than there are processors: sh_quote waits for its
# shell half of the time, or the shell for it.
SECONDS ?= 60
FUZZ    ?= sh_quote $(filter-out sh_quote,$(basename $(notdir $(FUZZ_SRC))))
FUZZ_JOBS ?= $(shell echo $$(($(JOBS) + 1)))

fuzz: ## random input for the parsers (FUZZ=NAME: one target; SECONDS=60 for each)
	$(MAKE) -j$(JOBS) VARIANT=fuzz CC=clang fuzz-built
	$(MAKE) VARIANT=fuzz CC=clang fuzz-run

fuzz-built: $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZ))

fuzz-run: fuzz-built
	@printf '%s\n' $(FUZZ) | xargs -P $(FUZZ_JOBS) -n 1 sh tests/fuzz/run $(BUILD) $(SECONDS)

$(BUILD)/libfuzzed.a: $(call obj,$(FUZZED_SRC))
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libfuzzed.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

load: ## the relay, sanitized, with 10,000 open pairings and 200 clients (SECONDS=60)
	$(MAKE) VARIANT=san load-run

load-run: $(BUILD)/jmesh $(BUILD)/tests/load/load
	$(BUILD)/tests/load/load $(BUILD)/jmesh $(SECONDS)

$(BUILD)/tests/load/load: $(call obj,$(LOAD_SRC)) $(BUILD)/libjmesh.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

##@ Lint
lint: format-check layers purity portable tidy docs-check packaging-check ## all of the following checks

format: ## rewrite the sources by .clang-format
	$(CLANG_FORMAT) -i $(FORMATTED)

format-check: ## sources are formatted
	@$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED)
	@echo "format: $(words $(FORMATTED)) files"

layers: ## includes point one way (DESIGN's layout)
	@sh tests/layers.sh

purity: $(call obj,$(PURE_SRC)) ## the pure parts call nothing that reaches the world
	@sh tests/purity.sh $^

# The whole program as it is made elsewhere, so that nothing portable leans on what is Linux's own.
portable: ## what is not Linux's own compiles and links without Linux, as POSIX
	@STANDARD='$(STANDARD)' sh tests/portable.sh $(CC) -std=c17 $(CPPFLAGS) $(PKG_CFLAGS) $(WARNINGS)
	@$(MAKE) -j$(JOBS) --no-print-directory SYSTEM=elsewhere BUILD=build/elsewhere/$(notdir $(firstword $(CC))) \
		OPT_$(VARIANT)=-O0 CPPFLAGS='-U__linux__ -Ulinux -Itests/portable' all
	@echo "portable: $(words $(filter-out $(LINUX_SRC),$(LIB_SRC))) files"

tidy: ## static analysis
	@cppcheck --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
		--suppress=normalCheckLevelMaxBranches \
		--quiet -j 2 -I. -Isrc $(LIB_SRC) src/cli/main.c
	@echo "tidy: $(words $(LIB_SRC)) files"

docs-check: $(BUILD)/jmesh ## man pages, completion and README agree with the program
	sh tests/docs.sh $(BUILD)

packaging-check: $(BUILD)/jmesh ## what is installed, FreeBSD's port and Homebrew's formula
	@MAKE='$(MAKE)' VERSION='$(VERSION)' LIBS='$(LIBS)' sh tests/packaging.sh $(VARIANT)

##@ Install
install: $(BUILD)/jmesh ## install to DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(DATADIR) $(DESTDIR)$(BASHDIR)
	install -m 755 $(BUILD)/jmesh $(DESTDIR)$(PREFIX)/bin/jmesh
	install -m 644 packaging/man/*.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 packaging/man/*.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 packaging/completions/jmesh.bash $(DESTDIR)$(BASHDIR)/jmesh
	install -m 644 schema/*.schema.json $(DESTDIR)$(DATADIR)
ifneq ($(EXAMPLESDIR),)
	install -d $(DESTDIR)$(EXAMPLESDIR)
	install -m 644 examples/*.yaml $(DESTDIR)$(EXAMPLESDIR)
endif
ifneq ($(SYSTEMDDIR),)
	install -d $(DESTDIR)$(SYSTEMDDIR)
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' packaging/systemd/jmesh-relay.service >$(DESTDIR)$(SYSTEMDDIR)/jmesh-relay.service
	chmod 644 $(DESTDIR)$(SYSTEMDDIR)/jmesh-relay.service
endif

dist: ## build/jmesh-VERSION.tar.gz, of what is committed: what the packages are made from
	@mkdir -p build
	git archive --prefix=jmesh-$(VERSION)/ -o build/jmesh-$(VERSION).tar.gz HEAD

help: ## this text
	@awk -F':.*## ' '/^##@ /{ printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## /{ printf "  make %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: all clean check built test unit golden lab demo bench bench-run fuzz fuzz-built fuzz-run load load-run lint format format-check layers purity \
	portable tidy docs-check packaging-check install dist help
