#ifdef NPHD_FAULTS

#include "src/pg.hpp"

#include <csignal>
#include <cstring>

#include "src/faults.hpp"

namespace nphd {

static char* setting;

namespace {
enum class Action { none, log, kill, error, enospc, oom, sleep, wait };
struct Armed {
    int number;  // -1: none
    Action action;
    int countdown;
};
}  // namespace

static Armed armed{-1, Action::none, 0};

static Action action_of(const char* text, size_t n) {
    static constexpr struct {
        const char* name;
        Action action;
    } known[] = {{"kill", Action::kill}, {"error", Action::error}, {"enospc", Action::enospc},
                 {"oom", Action::oom},   {"sleep", Action::sleep}, {"wait", Action::wait}};
    for (const auto& k : known)
        if (strlen(k.name) == n && strncmp(k.name, text, n) == 0) return k.action;
    return Action::none;
}

static bool parse(const char* text, Armed* out) {
    *out = {-1, Action::none, 0};
    if (text[0] == '\0') return true;
    if (strcmp(text, "log") == 0) {
        out->action = Action::log;
        return true;
    }
    const char* colon = strchr(text, ':');
    if (colon == nullptr) return false;
    for (int i = 0; i < static_cast<int>(lengthof(kFaultPoints)); ++i)
        if (kFaultPoints[i] == std::string_view(text, static_cast<size_t>(colon - text))) out->number = i;
    const char* second = strchr(colon + 1, ':');
    const size_t n = second != nullptr ? static_cast<size_t>(second - colon - 1) : strlen(colon + 1);
    out->action = action_of(colon + 1, n);
    out->countdown = second != nullptr ? atoi(second + 1) : 1;
    return out->number >= 0 && out->action != Action::none && out->countdown > 0;
}

static bool check_setting(char** value, void**, GucSource) {
    Armed ignored;
    if (parse(*value, &ignored)) return true;
    GUC_check_errdetail("It has the form point:action or point:action:n.");
    return false;
}

static void assign_setting(const char* value, void*) { parse(value, &armed); }

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

void fault_point(int number) {
    if (armed.action == Action::log) return tell(number);
    if (armed.number != number || --armed.countdown != 0) return;
    tell(number);
    switch (armed.action) {
        case Action::kill:
            kill(getpid(), SIGKILL);
            for (;;) pause();
        case Action::error:
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault point %s", kFaultPoints[number].data())));
        case Action::enospc:
            ereport(ERROR, (errcode(ERRCODE_DISK_FULL), errmsg("fault point %s", kFaultPoints[number].data())));
        case Action::oom:
            ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("fault point %s", kFaultPoints[number].data())));
        case Action::sleep:
            pg_usleep(1000000);
            break;
        case Action::wait:
            wait_for_lock();
            break;
        default:
            break;
    }
}

void define_fault_setting() {
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
