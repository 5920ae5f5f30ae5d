#include "isolation/seccomp_trace.h"

#include <poll.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <future>

#include "isolation/base/text.h"
#include "isolation/sys/process.h"
#include "isolation/sys/seccomp_listener.h"

namespace skiff::isolation {
namespace {

void Raise(const UniqueFd& event) {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(event.get(), &one, sizeof(one));
}

void WaitFor(const UniqueFd& event) {
  pollfd ready{.fd = event.get(), .events = POLLIN, .revents = 0};
  while (poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
}

std::string NameOf(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string text = name == nullptr ? "" : name;
  free(name);
  return text;
}

}  // namespace

std::string EncodeTracedCalls(const TracedCalls& calls) {
  std::string text;
  for (const std::string& name : calls.names) text += "call " + name + "\n";
  for (uint64_t family : calls.socket_families) text += "socket " + std::to_string(family) + "\n";
  for (uint64_t each : calls.netlink_protocols) text += "netlink " + std::to_string(each) + "\n";
  return text;
}

Result<TracedCalls> DecodeTracedCalls(std::string_view text) {
  TracedCalls calls;
  for (std::string_view line : Split(text, '\n')) {
    if (line.empty()) continue;
    size_t space = line.find(' ');
    std::string_view kind = line.substr(0, space);
    std::string_view value = space == std::string_view::npos ? "" : line.substr(space + 1);
    std::optional<uint64_t> number = ParseUint(value);
    if (kind == "call" && !value.empty()) {
      calls.names.emplace(value);
    } else if (kind == "socket" && number) {
      calls.socket_families.insert(*number);
    } else if (kind == "netlink" && number) {
      calls.netlink_protocols.insert(*number);
    } else {
      return Error(Code::kInvalid, "traced calls: odd line '" + std::string(line) + "'");
    }
  }
  return calls;
}

Result<std::unique_ptr<SeccompTrace>> SeccompTrace::Create() {
  std::unique_ptr<SeccompTrace> trace(new SeccompTrace());
  trace->release_launcher_ = TRY(sys::MakeEventFd());
  trace->stop_listening_ = TRY(sys::MakeEventFd());
  trace->architecture_ = seccomp_arch_native();
  trace->execve_ = seccomp_syscall_resolve_name("execve");
  trace->socket_ = seccomp_syscall_resolve_name("socket");
  return trace;
}

SeccompTrace::~SeccompTrace() { Finish(); }

Result<Launched> SeccompTrace::LaunchTraced(const ContainerSpec& spec, const Cgroup* cgroup,
                                            LaunchFailure* failure) {
  std::promise<Result<Launched>> promise;
  std::future<Result<Launched>> launched = promise.get_future();
  // Before the launcher: from its filter on somebody must be there to hear it.
  listener_ = std::thread([this] { Listen(); });
  launcher_ = std::thread([&, this] {
    launcher_id_ = static_cast<uint32_t>(gettid());
    Result<UniqueFd> fd = sys::ListenToOwnCalls();
    if (!fd.ok()) {
      is_launcher_over_ = true;
      promise.set_value(std::move(fd).error().Context("trace system calls"));
      return;
    }
    // Memory alone tells the listener: a call would wait for it.
    listener_fd_ = fd.value().Release();
    promise.set_value(Launch(spec, cgroup, failure));
    // The container dies with the thread that is its parent (PR_SET_PDEATHSIG).
    WaitFor(release_launcher_);
  });
  return launched.get();
}

// Neither allocates nor locks while a call waits: its thread may be inside malloc.
void SeccompTrace::Listen() {
  while (listener_fd_ < 0 && !is_launcher_over_) std::this_thread::yield();
  if (listener_fd_ < 0) return;
  while (sys::WaitForCall(listener_fd_, stop_listening_.get())) Hear();
}

void SeccompTrace::Hear() {
  sys::HeardCall call;
  if (!sys::HearCall(listener_fd_, &call)) return;
  bool is_native = call.architecture == architecture_;
  if (call.thread != launcher_id_ && is_native) {
    // What comes before is the set-up of the container, by the same process.
    has_executed_ = has_executed_ || call.number == execve_;
    if (has_executed_) Record(call.number, call.arguments[0], call.arguments[2]);
  }
  sys::LetCallPass(listener_fd_, call.id);
}

void SeccompTrace::Record(int number, uint64_t first, uint64_t third) {
  if (number < 0 || static_cast<size_t>(number) >= kMaxCallNumber) return;
  seen_[static_cast<size_t>(number)] = true;
  if (number != socket_) return;
  if (first < kMaxFamily) families_[first] = true;
  if (first == AF_NETLINK && third < kMaxFamily) protocols_[third] = true;
}

TracedCalls SeccompTrace::Finish() {
  if (launcher_.joinable()) {
    Raise(release_launcher_);
    launcher_.join();  // heard to its last call
  }
  if (listener_.joinable()) {
    Raise(stop_listening_);
    listener_.join();
  }
  UniqueFd closed(listener_fd_.exchange(-1));
  TracedCalls calls;
  for (size_t number = 0; number < kMaxCallNumber; ++number) {
    std::string name = seen_[number] ? NameOf(static_cast<int>(number)) : "";
    if (!name.empty()) calls.names.insert(name);
  }
  for (size_t value = 0; value < kMaxFamily; ++value) {
    if (families_[value]) calls.socket_families.insert(value);
    if (protocols_[value]) calls.netlink_protocols.insert(value);
  }
  return calls;
}

}  // namespace skiff::isolation
