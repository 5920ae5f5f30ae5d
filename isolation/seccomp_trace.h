// Which system calls a container makes: launches it from a thread whose calls, and those of all it
// starts, are heard and let pass (isolation/sys/seccomp_listener.h). No audit, no ptrace; the
// container's own filter stays in force, and what that refuses is not heard. Slow: every call goes
// through here. Two threads of its own; the object belongs to one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/launch.h"

namespace skiff::isolation {

struct TracedCalls {
  std::set<std::string> names;
  std::set<uint64_t> socket_families;
  std::set<uint64_t> netlink_protocols;
  bool operator==(const TracedCalls&) const = default;
};

// Lines of "call read", "socket 2", "netlink 0"; and back.
std::string EncodeTracedCalls(const TracedCalls& calls);
Result<TracedCalls> DecodeTracedCalls(std::string_view text);

class SeccompTrace {
 public:
  static Result<std::unique_ptr<SeccompTrace>> Create();
  ~SeccompTrace();
  SeccompTrace(const SeccompTrace&) = delete;
  SeccompTrace& operator=(const SeccompTrace&) = delete;

  // As isolation::Launch; once.
  Result<Launched> LaunchTraced(const ContainerSpec& spec, const Cgroup* cgroup,
                                LaunchFailure* failure);
  // Ends the tracing; what still runs is killed by the end of its parent thread. The calls after
  // the program's execve, that one included.
  TracedCalls Finish();

 private:
  static constexpr size_t kMaxCallNumber = 1024;
  static constexpr size_t kMaxFamily = 64;

  SeccompTrace() = default;
  void Listen();
  void Hear();
  void Record(int number, uint64_t first, uint64_t third);

  UniqueFd release_launcher_;
  UniqueFd stop_listening_;
  std::thread launcher_;
  std::thread listener_;
  std::atomic<int> listener_fd_{-1};
  std::atomic<bool> is_launcher_over_{false};
  std::atomic<uint32_t> launcher_id_{0};
  bool has_executed_ = false;  // the listener's
  uint32_t architecture_ = 0;
  int execve_ = -1;
  int socket_ = -1;
  std::array<std::atomic<bool>, kMaxCallNumber> seen_{};
  std::array<std::atomic<bool>, kMaxFamily> families_{};
  std::array<std::atomic<bool>, kMaxFamily> protocols_{};
};

}  // namespace skiff::isolation
