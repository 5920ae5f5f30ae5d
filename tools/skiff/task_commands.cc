// skiff ps, logs, stop, rm
#include <algorithm>
#include <functional>

#include "isolation/base/clock.h"
#include "runtime/supervisor/control.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/log_printer.h"
#include "tools/skiff/records.h"
#include "tools/skiff/task_json.h"
#include "tools/skiff/task_watch.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

std::string AddressOf(const runtime::Task& task) {
  for (const runtime::Attachment& attachment : task.attachments) {
    if (attachment.status == "ATTACHED") return attachment.address;
  }
  return "-";
}

// "web=RUNNING client=STOPPED(0)"
std::string ContainersOf(const runtime::Task& task) {
  std::string text;
  for (const runtime::TaskContainer& container : task.containers) {
    if (!text.empty()) text += ' ';
    text += container.name + "=" + std::string(StatusName(container.last_status));
    if (container.exit_code) text += "(" + std::to_string(*container.exit_code) + ")";
  }
  return text;
}

std::vector<std::string> RowOf(const TaskRecord& record, int64_t now) {
  const runtime::Task& task = record.task;
  return {task.id.Short(),
          task.family,
          std::string(StatusName(task.last_status)),
          AddressOf(task),
          ContainersOf(task),
          FormatAge(now - record.plan.created_at) + " ago",
          Printable(task.stopped_reason)};
}

Result<> StopAndWait(const TaskRecord& record, const runtime::ControlRequest& request) {
  TaskWatch watch = TRY(TaskWatch::Open(record.plan));
  if (watch.record().is_stopped()) return {};
  std::string socket = record.plan.roots.ControlSocket(record.plan.id);
  Result<> sent = SendRequest(socket, request);
  if (!sent.ok()) {
    // It may have stopped or died meanwhile; then waiting ends, too.
    TRY(watch.Refresh());
    bool is_dead = TRY(RecoverIfDead(record.plan));
    if (!is_dead && !watch.record().is_stopped()) return std::move(sent).error();
  }
  return WaitUntilStopped(&watch);
}

runtime::ControlRequest StopRequestOf(const std::string& reason) {
  runtime::ControlRequest request;
  request.verb = runtime::ControlRequest::Verb::kStop;
  request.reason = reason;
  return request;
}

Result<> RemoveTask(const std::string& text, bool is_forced, const runtime::Roots& roots) {
  TaskRecord record = TRY(FindRecord(roots, text));
  if (!record.is_stopped()) {
    std::string name = "task " + record.plan.id.Short();
    if (!is_forced) {
      return Error(Code::kConflict, name + " is " +
                                        std::string(StatusName(record.task.last_status)) +
                                        ": stop it first, or use --force");
    }
    TRY(StopAndWait(record, StopRequestOf("Removed by user")).Context(name));
    record = TRY(LoadRecord(roots, record.plan.id));
  }
  return RemoveRecord(record);
}

Result<> CheckContainer(const runtime::TaskPlan& plan, const std::string& name) {
  if (name.empty() || plan.Find(name) != nullptr) return {};
  std::string known;
  for (const runtime::ContainerPlan& container : plan.containers) {
    known += (known.empty() ? "" : ", ") + container.name;
  }
  return Error(Code::kNotFound,
               "task " + plan.id.Short() + " has no container " + name + ", it has " + known);
}

Result<> FollowLogs(LogPrinter& printer, const runtime::TaskPlan& plan) {
  TaskWatch watch = TRY(TaskWatch::Open(plan));
  for (;;) {
    std::vector<int> fds = TRY(printer.Follow());
    TRY(printer.PrintAvailable());
    if (watch.record().is_stopped()) return {};
    TRY(watch.Wait(fds, kLivenessInterval));
    TRY(RecoverIfDead(plan));
    TRY(watch.Refresh());
  }
}

// Each one is tried, whatever became of the others; the first failure counts.
Result<int> ForEachTask(const std::vector<std::string>& tasks, const std::string& command,
                        const std::function<Result<>(const std::string&)>& act) {
  std::optional<Error> first;
  for (const std::string& task : tasks) {
    Result<> done = act(task);
    if (done.ok()) continue;
    if (!first) {
      first = std::move(done).error();
    } else {
      PrintError("skiff: " + command + ": " + Printable(done.error().message()) + "\n");
    }
  }
  if (first) return std::move(*first);
  return 0;
}

}  // namespace

Result<int> Carry(const Ps& options, const runtime::Roots& roots) {
  SweepAndWarn(roots);
  std::vector<TaskRecord> records = TRY(ListRecords(roots));
  if (!options.is_all) std::erase_if(records, [](const TaskRecord& r) { return r.is_stopped(); });
  if (options.is_json) {
    Print(EncodeTasks(records) + "\n");
    return 0;
  }
  if (options.is_quiet) {
    for (const TaskRecord& record : records) Print(record.plan.id.text() + "\n");
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"TASK", "FAMILY", "STATUS", "ADDRESS", "CONTAINERS", "CREATED"}};
  if (options.is_all) rows.front().emplace_back("REASON");
  int64_t now = WallNanoseconds();
  for (const TaskRecord& record : records) rows.push_back(RowOf(record, now));
  Print(FormatTable(rows));
  return 0;
}

Result<int> Carry(const Logs& options, const runtime::Roots& roots) {
  SweepAndWarn(roots);
  TaskRecord record = TRY(FindRecord(roots, options.task));
  TRY(CheckContainer(record.plan, options.container));
  LogPrinterOptions print;
  print.container = options.container;
  print.since = options.since;
  print.tail = options.tail;
  print.with_timestamps = options.with_timestamps;
  print.is_json = options.is_json;
  print.with_names = options.container.empty() && record.plan.containers.size() > 1;
  LogPrinter printer(record.plan, std::move(print));
  if (options.is_following) {
    TRY(FollowLogs(printer, record.plan));
  } else {
    TRY(printer.PrintAvailable());
  }
  return 0;
}

Result<int> Carry(const Stop& options, const runtime::Roots& roots) {
  SweepAndWarn(roots);
  runtime::ControlRequest request = StopRequestOf(options.reason);
  request.timeout = options.timeout;
  std::vector<TaskRecord> stopped;
  Result<int> status = ForEachTask(options.tasks, "stop", [&](const std::string& text) -> Result<> {
    TaskRecord record = TRY(FindRecord(roots, text));
    TRY(StopAndWait(record, request).Context("task " + record.plan.id.Short()));
    if (options.is_json) {
      record = TRY(LoadRecord(roots, record.plan.id));
      stopped.push_back(std::move(record));
    } else {
      Print(record.plan.id.text() + "\n");
    }
    return {};
  });
  if (options.is_json) Print(EncodeTasks(stopped) + "\n");
  return status;
}

Result<int> Carry(const Remove& options, const runtime::Roots& roots) {
  SweepAndWarn(roots);
  return ForEachTask(options.tasks, "rm", [&](const std::string& text) -> Result<> {
    TRY(RemoveTask(text, options.is_forced, roots));
    Print("removed " + text + "\n");
    return {};
  });
}

}  // namespace skiff::tools
