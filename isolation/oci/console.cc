#include "isolation/oci/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "isolation/sys/file.h"

namespace skiff::isolation::oci {
namespace {

// The caller's terminal, raw as long as this lives. Nothing when standard input is none.
class RawTerminal {
 public:
  RawTerminal() {
    is_raw_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!is_raw_) return;
    termios raw = before_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (is_raw_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

 private:
  termios before_{};
  bool is_raw_ = false;
};

void CopyWindowSize(int master) {
  winsize size{};
  if (master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) ioctl(master, TIOCSWINSZ, &size);
}

// False when there is nothing more to come: the end, or a terminal whose other side is closed.
bool Copy(int from, int to) {
  char buffer[16384];
  Result<size_t> size = sys::Read(from, buffer, sizeof(buffer));
  if (!size.ok() || size.value() == 0) return false;
  return sys::WriteAll(to, std::string_view(buffer, size.value()), "terminal").ok();
}

Result<> PassOn(int signals, int pidfd, int master) {
  std::optional<int> signal = TRY(sys::ReadSignal(signals));
  if (!signal) return {};
  if (*signal == SIGWINCH) CopyWindowSize(master);
  if (*signal == SIGWINCH && master >= 0) return {};
  Result<> sent = sys::SignalPidfd(pidfd, *signal);
  // It may just have ended.
  return sent.ok() || sent.error().sys_errno() == ESRCH ? Result<>() : std::move(sent);
}

bool IsReady(const pollfd& entry) { return (entry.revents & (POLLIN | POLLHUP | POLLERR)) != 0; }

// What the terminal still holds when its last user has ended.
void Drain(int master) {
  pollfd entry{.fd = master, .events = POLLIN, .revents = 0};
  while (poll(&entry, 1, 0) > 0 && (entry.revents & POLLIN) != 0) {
    if (!Copy(master, STDOUT_FILENO)) return;
  }
}

}  // namespace

Result<UniqueFd> HoldSignals() {
  return sys::MakeSignalFd(
      {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH, SIGTSTP});
}

Result<int> Attend(const sys::Process& process, int signals, int master, const NotifyRelay* relay) {
  std::optional<RawTerminal> raw;
  if (master >= 0) raw.emplace();
  CopyWindowSize(master);
  pollfd watched[] = {{.fd = process.pidfd.get(), .events = POLLIN, .revents = 0},
                      {.fd = signals, .events = POLLIN, .revents = 0},
                      {.fd = master, .events = POLLIN, .revents = 0},
                      {.fd = master >= 0 ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0},
                      {.fd = relay == nullptr ? -1 : relay->fd(), .events = POLLIN, .revents = 0}};
  while ((watched[0].revents & POLLIN) == 0) {
    if (poll(watched, 5, -1) < 0 && errno != EINTR) return Error::FromErrno(errno, "poll");
    if (IsReady(watched[1])) TRY(PassOn(signals, process.pidfd.get(), master));
    if (IsReady(watched[2]) && !Copy(master, STDOUT_FILENO)) watched[2].fd = -1;
    if (IsReady(watched[4])) {
      bool is_ready = TRY(relay->PassOn(process.pid));
      if (is_ready) watched[4].fd = -1;
    }
    if (IsReady(watched[3]) && !Copy(STDIN_FILENO, master)) watched[3].fd = -1;
  }
  if (master >= 0) Drain(master);
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(process.pidfd.get(), true));
  return status->ShellCode();
}

}  // namespace skiff::isolation::oci
