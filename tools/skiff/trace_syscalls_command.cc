// skiff trace-syscalls
#include <fcntl.h>

#include "isolation/sys/file.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/run_session.h"
#include "tools/skiff/syscall_profile.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using isolation::TracedCalls;

void Merge(TracedCalls from, TracedCalls* to) {
  to->names.merge(from.names);
  to->socket_families.merge(from.socket_families);
  to->netlink_protocols.merge(from.netlink_protocols);
}

// What all containers of the task called, together.
Result<TracedCalls> CallsOf(const TaskRecord& record) {
  TracedCalls all;
  std::string directory = record.plan.roots.TracedCallsDirectory(record.plan.id);
  for (const runtime::ContainerPlan& container : record.plan.containers) {
    std::string path = directory + "/" + container.name;
    Result<std::string> text = sys::ReadFile(AT_FDCWD, path, kMaxTracedCalls);
    if (!text.ok() && text.error().code() == Code::kNotFound) continue;  // never started
    if (!text.ok()) return std::move(text).error();
    TracedCalls calls = TRY(isolation::DecodeTracedCalls(text.value()).Context(path));
    PrintError("skiff: container " + container.name + ": " + std::to_string(calls.names.size()) +
               " system calls\n");
    Merge(std::move(calls), &all);
  }
  if (all.names.empty()) return Error(Code::kNotFound, "no container made a system call");
  return all;
}

}  // namespace

Result<int> Carry(const TraceSyscalls& options, const runtime::Roots& roots) {
  Run run = options.run;
  run.isolation.trace_syscalls = true;
  return RunTask(run, roots, [&](const TaskRecord& record) -> Result<> {
    TracedCalls calls = TRY(CallsOf(record));
    TRY(sys::WriteFile(AT_FDCWD, options.output, EncodeSyscallProfile(calls), 0644));
    PrintError("skiff: profile of " + std::to_string(calls.names.size()) + " calls written; " +
               "enforce it with: skiff run --isolation seccomp=" + options.output + "\n");
    return {};
  });
}

}  // namespace skiff::tools
