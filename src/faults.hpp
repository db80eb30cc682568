// Points at which a test can make the server die, fail, or wait: NPHD_FAULT("name") stands at every step of what
// changes an index, and between what a scan reads and its look at whether that was still the index's. Only a build with
// -DNPHD_FAULTS has them; there, a superuser steers one by
//
//     SET nphd.fault = 'name:action'      or  'name:action:n'   at the n-th time it is reached in the process
//
// or several by a list of such, with commas. kill: SIGKILL to the process itself. error: an internal ERROR. enospc:
// 53100. oom: 53200. sleep: a second. wait: until the advisory lock (20110, 1) of the database is to be had; only where
// no content lock is held. A point that acts, and each that is reached while nphd.fault is 'log', leaves "nphd fault
// point NAME" in the server log. nphd_fault_points() lists all names.
#pragma once

#include <string_view>

namespace nphd {

inline constexpr std::string_view kFaultPoints[] = {
    "build.begin",
    "build.loaded",
    "insert.append",
    "insert.appended",
    "insert.link",
    "insert.extend",
    "insert.linked",
    "scan.searched",
    "maintain.begin",
    "freeze.before_switch",
    "freeze.after_switch",
    "rebuild.read",
    "rebuild.built",
    "reserve.allocated",
    "reserve.before_switch",
    "reserve.after_switch",
    "write.page",
    "move.page",
    "move.copied",
    "write.before_flush",
    "write.tombstones",
    "publish.before_carry_over",
    "publish.carry_over",
    "publish.before_switch",
    "publish.after_switch",
    "manifest.page",
    "vacuum.pending_page",
    "vacuum.marked",
    "vacuum.before_epoch",
    "vacuum.after_epoch",
    "vacuum.cleanup",
    "worker.start",
    "worker.locked",
    "worker.end",
    "truncate.before",
    "truncate.after",
};

/// Rules that a test breaks to see that it would notice: nphd.broken_rule names one.
inline constexpr std::string_view kRules[] = {
    "flush-before-mapping",  // pages go to the kernel before a backend first maps them
    "same-files",            // a copy of the relation does not inherit the proof that they did
    "completed-checkpoint",  // only a checkpoint that has ended is such a proof
};

#ifdef NPHD_FAULTS

consteval int rule_number(std::string_view name) {
    int i = 0;
    for (const std::string_view known : kRules) {
        if (known == name) return i;
        ++i;
    }
    throw "no such rule: add it to kRules";
}

bool rule_broken(int number);

consteval int fault_number(std::string_view name) {
    int i = 0;
    for (const std::string_view known : kFaultPoints) {
        if (known == name) return i;
        ++i;
    }
    throw "no such fault point: add it to kFaultPoints";
}

void fault_point(int number);
void define_fault_setting();

#define NPHD_FAULT(name) nphd::fault_point(nphd::fault_number(name))
#define NPHD_BROKEN(rule) nphd::rule_broken(nphd::rule_number(rule))

#else

inline void define_fault_setting() {}
#define NPHD_FAULT(name) static_cast<void>(0)
#define NPHD_BROKEN(rule) false

#endif

}  // namespace nphd
