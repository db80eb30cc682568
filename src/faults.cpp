#ifdef NPHD_FAULTS

#include "src/pg.hpp"

#include <charconv>
#include <csignal>

#include "src/faults.hpp"

namespace nphd {

static char* setting;

namespace {
enum class Action { none, kill, error, enospc, oom, sleep, wait };
struct Armed {
    int number;
    Action action;
    int countdown;
};
struct Faults {
    static constexpr int kMost = 4;
    Armed armed[kMost];
    int n;
    bool log;  // every point that is reached
};
}  // namespace

static Faults faults;

static Action action_of(std::string_view text) {
    static constexpr struct {
        std::string_view name;
        Action action;
    } known[] = {{"kill", Action::kill}, {"error", Action::error}, {"enospc", Action::enospc},
                 {"oom", Action::oom},   {"sleep", Action::sleep}, {"wait", Action::wait}};
    for (const auto& k : known)
        if (k.name == text) return k.action;
    return Action::none;
}

// The part of *text in front of the separator, which is taken off together with it.
static std::string_view cut_off(std::string_view* text, char separator) {
    const size_t at = text->find(separator);
    const std::string_view part = text->substr(0, at);
    text->remove_prefix(at == std::string_view::npos ? text->size() : at + 1);
    return part;
}

// point:action or point:action:n
static bool parse_one(std::string_view text, Armed* out) {
    const std::string_view point = cut_off(&text, ':'), action = cut_off(&text, ':');
    *out = {-1, action_of(action), 1};
    for (int i = 0; i < static_cast<int>(lengthof(kFaultPoints)); ++i)
        if (kFaultPoints[i] == point) out->number = i;
    if (!text.empty() &&
        std::from_chars(text.data(), text.data() + text.size(), out->countdown).ptr != text.data() + text.size())
        return false;
    return out->number >= 0 && out->action != Action::none && out->countdown > 0;
}

static bool parse(std::string_view text, Faults* out) {
    *out = Faults{};
    out->log = text == "log";
    if (out->log) return true;
    while (!text.empty())
        if (out->n == Faults::kMost || !parse_one(cut_off(&text, ','), &out->armed[out->n++])) return false;
    return true;
}

static bool check_setting(char** value, void**, GucSource) {
    Faults ignored;
    if (parse(*value, &ignored)) return true;
    GUC_check_errdetail("It has the form point:action or point:action:n, or is a list of up to four of them.");
    return false;
}

static void assign_setting(const char* value, void*) {
    if (!parse(value, &faults)) faults = Faults{};
}

// Straight to the log's file descriptor: some points are reached where an ereport(LOG) must not be.
static void tell(int number) {
    char line[100];
    const int n = snprintf(line, sizeof line, "nphd fault point %s\n", kFaultPoints[number].data());
    if (write(STDERR_FILENO, line, static_cast<size_t>(n)) < 0) return;
}

static void wait_for_lock() {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 20110, 1, 2);
    (void)LockAcquire(&tag, ShareLock, false, false);
    LockRelease(&tag, ShareLock, false);
}

static void act(Action action, const char* name) {
    switch (action) {
        case Action::kill:
            kill(getpid(), SIGKILL);
            for (;;) pause();
        case Action::error:
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault point %s", name)));
            break;
        case Action::enospc:
            ereport(ERROR, (errcode(ERRCODE_DISK_FULL), errmsg("fault point %s", name)));
            break;
        case Action::oom:
            ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("fault point %s", name)));
            break;
        case Action::sleep:
            pg_usleep(1000000);
            break;
        case Action::wait:
            wait_for_lock();
            break;
        case Action::none:
            break;
    }
}

void fault_point(int number) {
    if (faults.log) tell(number);
    for (int i = 0; i < faults.n; ++i) {
        Armed* armed = &faults.armed[i];
        // Down to zero once, and never again.
        if (armed->number != number || armed->countdown <= 0 || --armed->countdown > 0) continue;
        tell(number);
        act(armed->action, kFaultPoints[number].data());
    }
}

static char* broken_rule;

bool rule_broken(int number) { return broken_rule != nullptr && kRules[number] == broken_rule; }

void define_fault_setting() {
    DefineCustomStringVariable("nphd.broken_rule", "Breaks a rule, for tests that must notice.", nullptr, &broken_rule,
                               "", PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("nphd.fault", "Makes the named fault point kill, fail or wait.", nullptr, &setting, "",
                               PGC_SUSET, GUC_NOT_IN_SAMPLE, check_setting, assign_setting, nullptr);
}

}  // namespace nphd

NPHD_FUNCTION(nphd_fault_points) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const std::string_view name : nphd::kFaultPoints) {
        Datum value = PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
        bool null = false;
        tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
    }
    PG_RETURN_NULL();
}

#endif
