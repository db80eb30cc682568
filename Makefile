# PGXS build: `make`, `make install`, `make installcheck`, VPATH builds, DESTDIR and PG_CONFIG=... work as in any
# extension. The engine is a static library that knows nothing of PostgreSQL; the module adds the thin layer of src/.
#
# Variables: PG_CONFIG=path  WERROR=1 (warnings are errors)  SANITIZE=-fsanitize=...  FAULTS=1 (fault points compiled in)
# CONTROL=NPHD_NO_REUSE_CHECK (scans do not notice that their pages were used again: for test/faults only)
# CONTROL=NPHD_NEXT_FORMAT (pages bear the number of the format after the present one: for test/faults only)
# CPPFLAGS, CXXFLAGS and LDFLAGS of the environment (dpkg-buildflags) are heard beside those that PostgreSQL was built with.
# Targets beside PGXS's, which need no pg_config: check (every test or STAGES="...", see test/run), demo, bench (every figure,
# through SQL over ROWS=1000000 rows unless told), format, tidy, dist (an archive of what is committed, for PGXN).

SRC   := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
BUILD ?= build

HOUSE_GOALS := check demo bench format tidy dist
ifneq ($(filter $(HOUSE_GOALS),$(MAKECMDGOALS)),)

# PGXS has a `check` of its own, which only says that there is none, so these goals do without it.
.PHONY: $(MAKECMDGOALS)
.NOTPARALLEL:

CXX_FILES = $(shell cd $(SRC) && find engine src test bench demo -name '*.?pp' 2>/dev/null)

check:
	@$(SRC)/test/run $(STAGES)

demo:
	@$(SRC)/demo/run

bench:
	@$(SRC)/bench/run $(ROWS)

format:
	cd $(SRC) && clang-format -i $(CXX_FILES)

tidy:
	cmake -S $(SRC) -B $(BUILD)/tidy -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
	cd $(SRC) && clang-tidy --quiet -p $(abspath $(BUILD))/tidy $(filter engine/%.cpp src/%.cpp,$(CXX_FILES))

# `git archive` takes what is committed, so that what lies about in the tree is not released.
dist:
	version=$$(sed -n "s/^default_version = '\(.*\)'/\1/p" $(SRC)/nphd.control) && \
	    for form in zip tar.gz; do \
	        git -C $(SRC) archive --format=$$form --prefix=nphd-$$version/ --output=$(CURDIR)/nphd-$$version.$$form HEAD || exit; \
	    done

$(filter-out $(HOUSE_GOALS),$(MAKECMDGOALS)):
	$(MAKE) -f $(firstword $(MAKEFILE_LIST)) $@

else

EXTENSION  = nphd
MODULE_big = nphd
DATA       = $(notdir $(wildcard $(SRC)/nphd--*.sql))

sources = $(patsubst $(SRC)/%,%,$(sort $(foreach p,$(1),$(wildcard $(SRC)/$(p)))))
names   = $(basename $(notdir $(call sources,$(1))))

ENGINE_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(call sources,engine/*/*.cpp))
OBJS       := $(patsubst %.cpp,$(BUILD)/%.o,$(call sources,src/*.cpp src/*/*.cpp))
ENGINE_LIB := $(BUILD)/libnphd_engine.a

# The type's tests first: the access method's make no sense where they fail.
REGRESS_ALL   := $(call names,sql/*.sql)
REGRESS        = $(filter bitvec_%,$(REGRESS_ALL)) $(filter-out bitvec_%,$(REGRESS_ALL))
REGRESS_OPTS   = --load-extension=nphd
ISOLATION      = $(call names,test/isolation/specs/*.spec)
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --outputdir=output_iso --load-extension=nphd
TAP_TESTS      = $(if $(call sources,test/t/*.pl),1)
PROVE_TESTS    = test/t/*.pl

# PGXS gives these names another meaning. The engine is not for -O2.
ENVIRONMENT_CPPFLAGS := $(CPPFLAGS)
ENVIRONMENT_CXXFLAGS := $(filter-out -O2,$(CXXFLAGS))
ENVIRONMENT_LDFLAGS  := $(LDFLAGS)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) names no PGXS: install the server development files (Debian: postgresql-server-dev-NN), or set PG_CONFIG)
endif
# The bitcode step would compile the C++ again, with clang and none of our flags.
override with_llvm := no

COMMON_FLAGS = -std=c++20 -Wall -Wextra $(if $(WERROR),-Werror) -fvisibility=hidden -fvisibility-inlines-hidden -fPIC \
               -pthread -I$(SRC) -MMD -MP $(ENVIRONMENT_CPPFLAGS) $(ENVIRONMENT_CXXFLAGS) $(SANITIZE)
# Mapped pages are read as structs that this program never wrote, as PostgreSQL reads its own: hence no-strict-aliasing.
ENGINE_FLAGS = -O3 $(COMMON_FLAGS) -DNDEBUG -g -fno-omit-frame-pointer -fno-strict-aliasing -Wshadow -Wconversion
# -isystem keeps the warnings of PostgreSQL's headers out; given before PGXS's own -I of that directory, it wins.
MODULE_FLAGS = $(COMMON_FLAGS) $(if $(FAULTS),-DNPHD_FAULTS) -isystem $(shell $(PG_CONFIG) --includedir-server) -Wno-register \
               -Wno-unknown-warning-option
# The link is made by the C compiler. Without -lstdc++ it succeeds, and the module then fails to load.
SHLIB_LINK   = $(ENGINE_LIB) -Wl,--exclude-libs,ALL -lstdc++ -pthread $(ENVIRONMENT_LDFLAGS) $(SANITIZE)
EXTRA_CLEAN  = $(BUILD) tmp_check output_iso results regression.diffs regression.out log

include $(PGXS)

# Objects made with other flags, or for another PostgreSQL, are not up to date. The engine is the same with every PostgreSQL.
ENGINE_FLAGS_NOW := $(strip $(CXX) $(ENGINE_FLAGS))
MODULE_FLAGS_NOW := $(strip $(CXX) $(VERSION) $(CXXFLAGS) $(MODULE_FLAGS))
ifneq ($(shell cat $(BUILD)/engine.flags 2>/dev/null),$(ENGINE_FLAGS_NOW))
MADE := $(shell mkdir -p $(BUILD))
$(file >$(BUILD)/engine.flags,$(ENGINE_FLAGS_NOW))
endif
ifneq ($(shell cat $(BUILD)/module.flags 2>/dev/null),$(MODULE_FLAGS_NOW))
MADE := $(shell mkdir -p $(BUILD))
$(file >$(BUILD)/module.flags,$(MODULE_FLAGS_NOW))
endif

# Not among the flags that are compared: a control is made from a copy of another build, of which only what differs is removed.
CONTROL_FLAGS := $(addprefix -D,$(CONTROL))

$(BUILD)/engine/%.o: engine/%.cpp $(BUILD)/engine.flags
	@$(MKDIR_P) $(@D)
	$(CXX) $(ENGINE_FLAGS) $(CONTROL_FLAGS) -c -o $@ $<

$(BUILD)/src/%.o: src/%.cpp $(BUILD)/module.flags
	@$(MKDIR_P) $(@D)
	$(CXX) $(CXXFLAGS) $(MODULE_FLAGS) $(CONTROL_FLAGS) $(CPPFLAGS) -c -o $@ $<

$(ENGINE_LIB): $(ENGINE_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

# SHLIB_PREREQS would be order-only: a changed engine would not relink the module.
$(shlib): $(ENGINE_LIB)

-include $(ENGINE_OBJ:.o=.d) $(OBJS:.o=.d)

endif
