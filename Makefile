# sendx-worker. `make help` lists the targets. One Makefile; objects are found per folder; a build
# folder per flavour: make FLAVOUR=asan builds into build/asan.

CC      ?= cc
FLAVOUR ?= release
WERROR  ?=
# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
# make V=1 shows the commands.
Q        = $(if $(V),,@echo '  $(if $(filter %.o,$@),cc,ld) $@' && )

ifeq ($(FLAVOUR),release)
BUILD   ?= build
OPT     := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK    := -pie -Wl,-z,relro,-z,now
else ifeq ($(FLAVOUR),asan)
BUILD   ?= build/asan
OPT     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-format-truncation
LINK    := -fsanitize=address,undefined
else ifeq ($(FLAVOUR),fuzz)
CC      := clang
BUILD   ?= build/fuzz
OPT     := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK    := -fsanitize=address,undefined
FUZZER  := -fsanitize=fuzzer
SPARE   := -Wno-format-nonliteral # clang says it of a va_list, too
else
$(error FLAVOUR is release, asan or fuzz)
endif

PKGS     := rdkafka libcurl jansson libconfig libpcre2-8 libmicrohttpd
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla $(SPARE) $(WERROR)
VERSION  := $(shell cat VERSION)
CPPFLAGS += -D_GNU_SOURCE -Isrc -DVERSION='"$(VERSION)"'
CFLAGS   += -std=gnu11 $(OPT) $(WARN) $(shell pkg-config --cflags $(PKGS))
pkglibs   = $(shell pkg-config --libs $(1))

folder    = $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/$(1)/*.c))
BASE     := $(call folder,base)
PURE     := $(BASE) $(call folder,sendx) $(call folder,rules) $(call folder,delivery)
PAGE     := $(BUILD)/src/worker/page.html.o
WORKER   := $(PURE) $(call folder,config) $(call folder,edge) $(call folder,worker) $(PAGE) $(call folder,cmd)
SANDBOX  := $(BASE) $(call folder,sandbox)

UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
SIMULATE := $(BUILD)/simulate
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c)) $(BUILD)/fuzz/words

.DEFAULT_GOAL := all
.PHONY: all help check test acceptance chaos chaos-quick demo demo-live simulate unit golden layers banned format format-check \
        fuzz-quick fuzz-entries lint docs docs-metrics screenshots bench bench-quick bench-parts bench-rules bench-seeing \
        demo-asan demo-valgrind clean
.SECONDARY:

all: $(BUILD)/sendx-worker $(BUILD)/sendx-sandbox ## build both programs (the default)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(BUILD)/sendx-worker: $(WORKER)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,rdkafka libcurl jansson libconfig libpcre2-8 libmicrohttpd) -lm

$(BUILD)/sendx-sandbox: $(SANDBOX)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,rdkafka jansson libmicrohttpd) -lm

$(BUILD)/%.o: %.c VERSION
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Tests are built often and run once.
$(BUILD)/tests/unit/%.o: OPT += -O0 -U_FORTIFY_SOURCE

# A page as a C text: each line a string literal.
$(BUILD)/%.html.c: %.html
	@mkdir -p $(@D)
	$(Q)sed -e 's/[\\"]/\\&/g' -e 's/^/    "/' -e 's/$$/\\n"/' \
	    -e '1i #include "worker/state.h"\n\nconst char worker_page[] =' -e '$$a ;' $< >$@

$(BUILD)/%.html.o: $(BUILD)/%.html.c VERSION
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What a unit test needs beside the pure folders and the configuration.
HTTP     := $(filter-out %/http_get.o,$(filter $(BUILD)/src/edge/http%,$(call folder,edge)))
$(BUILD)/unit/test_http: $(HTTP)
$(BUILD)/unit/test_http: LIBS += libcurl
KAFKA    := $(addprefix $(BUILD)/unit/,test_kafka test_kafka_group test_kafka_leave test_kafka_commit)
$(KAFKA): $(filter $(BUILD)/src/edge/kafka%,$(call folder,edge)) $(BUILD)/tests/unit/kafka_unit.o
$(KAFKA): LIBS += rdkafka
$(BUILD)/unit/test_dead_letter: $(addprefix $(BUILD)/src/edge/,dead_letter.o kafka_handle.o kafka_log.o)
$(BUILD)/unit/test_dead_letter: LIBS += rdkafka
$(BUILD)/unit/test_kafka_read: $(addprefix $(BUILD)/src/edge/,kafka_read.o kafka_handle.o kafka_log.o)
$(BUILD)/unit/test_kafka_read: LIBS += rdkafka
$(BUILD)/unit/test_admin: $(BUILD)/src/edge/admin.o
$(BUILD)/unit/test_admin: LIBS += libmicrohttpd
$(BUILD)/unit/test_notify: $(BUILD)/src/edge/notify.o
$(BUILD)/unit/test_seeing: $(BUILD)/src/worker/seeing.o
$(BUILD)/unit/test_topics: $(BUILD)/src/worker/topics.o
$(BUILD)/unit/test_contact_json: $(BUILD)/src/cmd/contact_json.o
$(BUILD)/unit/test_store $(BUILD)/unit/test_fold: $(BUILD)/src/sandbox/store.o $(BUILD)/src/sandbox/text.o
$(BUILD)/unit/test_redrive_index: $(BUILD)/src/cmd/redrive_index.o
$(BUILD)/unit/test_json_text: $(BUILD)/src/cmd/json_text.o
$(BUILD)/unit/test_disguise: $(filter $(BUILD)/src/cmd/disguise%,$(call folder,cmd)) \
                             $(addprefix $(BUILD)/src/cmd/,email.o json_text.o phone.o word.o)
$(BUILD)/unit/test_email: $(addprefix $(BUILD)/src/cmd/,email.o word.o)
$(BUILD)/unit/test_phone: $(addprefix $(BUILD)/src/cmd/,email.o phone.o word.o)
$(BUILD)/unit/test_diff_tally: $(addprefix $(BUILD)/src/cmd/,call_text.o diff_pair.o diff_tally.o test_diff.o)
$(BUILD)/unit/test_capture_pick: $(BUILD)/src/cmd/capture_pick.o
$(BUILD)/unit/test_rule_tests: $(addprefix $(BUILD)/src/cmd/,call_text.o contact_json.o json_text.o record_json.o \
                                        test_diff.o test_file.o test_update.o write_file.o)
$(BUILD)/unit/test_service: $(addprefix $(BUILD)/src/sandbox/,fault.o journal.o service.o store.o text.o)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(PURE) $(call folder,config)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,jansson libconfig libpcre2-8 cmocka $(LIBS)) -lm

$(SIMULATE): $(BUILD)/tests/simulate/simulate.o $(BASE) $(call folder,sendx) $(call folder,delivery)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,jansson) -lm

# Without libFuzzer an entry has a main of its own, which replays files.
$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(addprefix $(BUILD)/tests/fuzz/,lab.o rules_text.o $(if $(FUZZER),,replay.o)) \
                      $(PURE) $(call folder,config)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) $(FUZZER) -o $@ $^ $(call pkglibs,jansson libconfig libpcre2-8) -lm

$(BUILD)/fuzz/words: $(BUILD)/tests/fuzz/words.o $(PURE) $(call folder,config)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,jansson libconfig libpcre2-8) -lm

$(BUILD)/bench/http_ceiling: $(BUILD)/tests/bench/http_ceiling.o $(PURE) $(HTTP)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,jansson libpcre2-8 libcurl) -lm

$(BUILD)/bench/rules: $(BUILD)/tests/bench/rules.o $(PURE) $(call folder,config)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,jansson libconfig libpcre2-8) -lm

$(BUILD)/bench/hand_loop: $(BUILD)/tests/bench/hand_loop.o $(BASE)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(call pkglibs,rdkafka jansson libcurl) -lm

BENCH := $(BUILD)/bench/http_ceiling $(BUILD)/bench/hand_loop

# What goes on for long ends with make, however make ends.
TIED := setpriv --pdeathsig TERM

bench: ## the worker, its peers and the ceiling side by side: EVENTS=n REPEATS=n SCENARIOS=a,b PROGRAMS=ours,bento (over an hour)
	@./deps bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@tests/bench/build-peers || true
	@$(TIED) build/venv/bin/python tests/bench/bench.py

bench-quick: ## the first scenario of it in two minutes: the worker, Bento and the ceiling
	@./deps bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@tests/bench/build-peers bento || true
	@$(TIED) build/venv/bin/python tests/bench/quick.py

bench-rules: ## what rules cost: an event by ten of them, by part; loading 500; REPEATS=n
	@./deps demo
	@$(MAKE) --no-print-directory $(BUILD)/bench/rules
	@$(BUILD)/bench/rules $(REPEATS)

bench-parts: ## what one event costs, by part: needs perf
	@./deps bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@$(TIED) build/venv/bin/python tests/bench/parts.py

bench-seeing: ## what metrics, sentinel and admin endpoint cost of an event: needs valgrind
	@./deps bench
	@$(MAKE) --no-print-directory all
	@$(TIED) build/venv/bin/python tests/bench/seeing.py

# ---- demo: the sandbox plays broker and API, the worker is the real one ----

DEMO = $(BUILD)/sendx-sandbox demo --worker $(BUILD)/sendx-worker --log $(BUILD)/demo-worker.log

demo: ## the main job on made-up events; installs what is missing
	@./deps demo
	@$(MAKE) --no-print-directory all
	@$(DEMO)

demo-live: ## the same, and it goes on until interrupted
	@./deps demo
	@$(MAKE) --no-print-directory all
	@$(DEMO) --live

demo-asan: ## the demo with both programs built for AddressSanitizer and UBSan
	@./deps demo
	@$(MAKE) --no-print-directory FLAVOUR=asan demo-only

demo-valgrind: all ## the demo with the worker under valgrind
	@./deps test
	@tests/valgrind-demo $(BUILD)

demo-only: all
	@$(DEMO)

# ---- checks: under 30 s, no network ----

SEEDS ?= 2000
FIRST ?= 1

test: ## everything, real Kafka included; installs what is missing
	@./deps test
	@tests/run

chaos-quick: ## crashes, restarts and outages against a three-node Kafka, in three minutes; part of test
	@./deps test
	@$(MAKE) --no-print-directory all
	@$(TIED) build/venv/bin/python tests/chaos/play.py

chaos: ## the same at length; part of acceptance; keeps its table in docs/reliability.md
	@./deps test
	@$(MAKE) --no-print-directory all
	@$(TIED) build/venv/bin/python tests/chaos/play.py --long --keep docs/reliability.md

acceptance: ## the long forms of the failure tests, about half an hour; keeps results in docs/acceptance
	@./deps test
	@$(MAKE) --no-print-directory all
	@$(TIED) build/venv/bin/python -m pytest tests/acceptance -c tests/acceptance/pytest.ini --keep docs/acceptance
	@$(MAKE) --no-print-directory chaos

check: all $(UNIT) $(SIMULATE) $(FUZZ) ## everything quick: layers, banned functions, examples, unit, golden, fuzz seeds, simulation, format
	@tests/check $(BUILD)

unit: $(UNIT) ## unit tests only
	@for t in $(UNIT); do echo "== $$t" && $$t || exit 1; done

golden: all ## golden tests only: messages and outputs as they are kept in tests/golden
	@tests/golden/run $(BUILD)

docs: all ## write the documents that are made from tables; golden says when that is due
	@tests/golden/run --documents $(BUILD)

docs-metrics: all ## write docs/metrics.md from a live scrape
	@./deps test
	@SENDX_UPDATE=1 build/venv/bin/python -m pytest -q tests/e2e/test_37_metrics_doc.py -c tests/e2e/pytest.ini

screenshots: all ## pictures of the page into docs/images
	@./deps test
	@build/venv/bin/python -m pytest -q tests/e2e/pictures.py -c tests/e2e/pytest.ini

fuzz-quick: ## each fuzz entry with libFuzzer and sanitizers: FUZZ_S=60 seconds each; needs clang
	@./deps fuzz
	@$(MAKE) --no-print-directory FLAVOUR=fuzz fuzz-entries
	@tests/fuzz/run build/fuzz

fuzz-entries: $(FUZZ)

simulate: $(SIMULATE) ## delivery under a false clock, API and Kafka: SEEDS=n FIRST=k
	@$(SIMULATE) $(SEEDS) $(FIRST)

layers: ## who may include whom
	@tests/layers

banned: ## functions that are not used here
	@tests/banned

format: ## format all C files (clang-format 14)
	clang-format -i $(CFILES)

format-check:
	@tests/format

lint: ## clang-tidy over all sources
	clang-tidy --quiet $(filter src/%.c,$(CFILES)) -- $(CPPFLAGS) -std=gnu11

CFILES = $(shell find src tests -name '*.[ch]')

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

clean: ## remove what was built (fetched test tools too)
	rm -rf build
