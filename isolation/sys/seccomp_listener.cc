#include "isolation/sys/seccomp_listener.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "isolation/sys/call.h"

namespace skiff::sys {

Result<UniqueFd> ListenToOwnCalls() {
  sock_filter tell = {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_USER_NOTIF};
  sock_fprog program = {.len = 1, .filter = &tell};
  int fd = TRY(Call("seccomp", "listener", [&] {
    return static_cast<int>(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  }));
  return UniqueFd(fd);
}

bool HearCall(int listener, HeardCall* call) {
  seccomp_notif heard;
  memset(&heard, 0, sizeof(heard));  // the kernel wants zeros
  // A thread that was killed meanwhile is gone with its call: ENOENT.
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &heard) != 0) return false;
  call->id = heard.id;
  call->thread = heard.pid;
  call->number = heard.data.nr;
  call->architecture = heard.data.arch;
  for (int i = 0; i < 6; ++i) call->arguments[i] = heard.data.args[i];
  return true;
}

void LetCallPass(int listener, uint64_t id) {
  seccomp_notif_resp answer;
  memset(&answer, 0, sizeof(answer));
  answer.id = id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

bool WaitForCall(int listener, int stop) {
  pollfd ready[2] = {{.fd = listener, .events = POLLIN, .revents = 0},
                     {.fd = stop, .events = POLLIN, .revents = 0}};
  while (poll(ready, 2, -1) < 0 && errno == EINTR) {
  }
  return ready[1].revents == 0 && (ready[0].revents & POLLIN) != 0;
}

}  // namespace skiff::sys
