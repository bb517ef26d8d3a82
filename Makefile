# mariadb_sync: MariaDB replication into PostgreSQL
#
#   make && make install          with both servers' development files there
#   make check                    everything, on a bare machine too
#   make check PROVE_TESTS=test/t/001_basic.pl
#   make check-matrix             the same here and on newer servers; needs root
#   make indent                   PostgreSQL's formatting; FILES="..." for some
#   make check-iuds               MariaDB's own insert, update and delete tests
#   make check-source             MariaDB's own tests of ALTER TABLE and of row
#                                 replication, run on a subscribed source
#   make torture                  faults at random for 20 minutes, and during the
#                                 first copy; TORTURE_SECONDS, SCHEDULE_SECONDS
#   make leaks                    memory and descriptors over 10 million events
#                                 and 1,000 reconnects; LEAK_EVENTS, LEAK_RECONNECTS
#   make fuzz                     lie to the decoders; FUZZ_SECONDS=600 for long
#   make demo                     see it work; KEEP=1 leaves the servers running
#   make bench                    race MariaDB's replica and PostgreSQL's own
#                                 replication; QUICK=1 for a short one
#   make bench-snapshot           how fast is the first copy; QUICK=1 likewise
#   make bench-verify             how fast is verify(), beside it; QUICK=1 likewise
#   make bench-size               does the cost of a change grow with its surroundings
#
# PG_CONFIG (or PG_MAJOR, a number) chooses the PostgreSQL to build for.

MODULE_big = mariadb_sync
EXTENSION = mariadb_sync
DATA = $(sort $(wildcard mariadb_sync--*.sql))
PGFILEDESC = "mariadb_sync - MariaDB replication into PostgreSQL"

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

# These bring their own servers and may have to install packages first, so
# they come before PGXS, which is a package's file itself and has a "check"
# of its own.
SCRIPT_GOALS = check check-rooms check-matrix check-iuds check-source torture leaks fuzz indent \
	demo bench bench-snapshot bench-verify bench-size

ifdef PG_MAJOR
PG_CONFIG ?= /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
endif
PG_CONFIG ?= pg_config
export PG_CONFIG PG_MAJOR

ifneq (,$(filter $(SCRIPT_GOALS),$(MAKECMDGOALS)))

.PHONY: $(SCRIPT_GOALS) prepare

prepare:
	@test/install-deps
	@$(MAKE) -s --no-print-directory all

check: prepare check-rooms
	test/with-install test/run-check $(PROVE_TESTS)

check-rooms:
	test/check-rooms

check-matrix: check
	test/check-matrix

check-iuds: prepare
	@test/install-deps iuds
	IUDS_TESTS=all test/with-install test/run-check test/t/028_iuds.pl
	IUDS_TESTS=all IUDS_ENGINE=MyISAM \
		test/with-install test/run-check test/t/028_iuds.pl

check-source: prepare
	@test/install-deps iuds
	SOURCE_TESTS=$${SOURCE_TESTS:-all} test/with-install test/run-check \
		test/t/039_source_tests.pl

fuzz:
	@test/install-deps fuzz
	@test/fuzz/run

indent:
	@test/install-deps indent
	@$(MAKE) -s --no-print-directory all
	@test/indent $(FILES)

torture: prepare
	TORTURE_SECONDS=$${TORTURE_SECONDS:-1200} \
	SCHEDULE_SECONDS=$${SCHEDULE_SECONDS:-180} test/with-install test/run-check \
		test/t/060_torture.pl test/t/017_snapshot_random.pl

leaks: prepare
	LEAK_EVENTS=$${LEAK_EVENTS:-10000000} LEAK_RECONNECTS=$${LEAK_RECONNECTS:-1000} \
		test/with-install test/run-check test/t/064_monitoring.pl

demo: prepare
	@test/with-install test/demo/demo

bench: prepare
	test/with-install test/bench/race

bench-snapshot: prepare
	test/with-install test/bench/snapshot

bench-verify: prepare
	test/with-install test/bench/verify

bench-size: prepare
	test/with-install test/bench/size

# "make clean check" and the like
OTHER_GOALS = $(filter-out $(SCRIPT_GOALS) prepare,$(MAKECMDGOALS))
ifneq (,$(OTHER_GOALS))
.PHONY: $(OTHER_GOALS)
$(OTHER_GOALS):
	$(MAKE) $@
endif
.NOTPARALLEL:

else

MARIADB_CONFIG ?= mariadb_config

# Callbacks have the parameters their callers give them, used or not; and what
# the compiler says of setjmp is mostly wrong about PG_TRY.  PostgreSQL 16 and
# later ask about shadows themselves.
WARNINGS ?= -Wall -Wextra -Werror -Wno-unused-parameter -Wno-clobbered \
	-Wshadow=compatible-local

# PostgreSQL's headers are not written for -Wextra: a system directory's
# headers do not warn, and -isystem wins over PGXS's own -I.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) \
	$(shell $(MARIADB_CONFIG) --cflags) -Isrc
PG_CFLAGS = $(WARNINGS)
SHLIB_LINK = $(shell $(MARIADB_CONFIG) --libs) -lz

EXTRA_CLEAN = tmp_check tmp_fuzz src/typedefs.list

# Bitcode would take longer to build than the module, and there is nothing
# here that a query could inline.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Packaged PostgreSQLs are built without dependency tracking.
$(OBJS): $(wildcard src/*.h) Makefile

endif
