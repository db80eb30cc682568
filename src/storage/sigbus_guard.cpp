#include "src/storage/sigbus_guard.hpp"

namespace nphd {

sigjmp_buf sigbus_jump;
volatile sig_atomic_t sigbus_armed = 0;

static void on_sigbus(int, siginfo_t*, void*) {
    if (sigbus_armed) {
        sigbus_armed = 0;
        siglongjmp(sigbus_jump, 1);
    }
    // Not ours: let it happen again without us.
    signal(SIGBUS, SIG_DFL);
}

void sigbus_install() {
    static bool installed = false;
    if (installed) return;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_sigbus;
    // SA_NODEFER: we leave the handler by a jump that restores no signal mask.
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, nullptr);
    installed = true;
}

}  // namespace nphd
