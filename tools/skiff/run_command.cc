// skiff run
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/supervisor/control.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/log_printer.h"
#include "tools/skiff/records.h"
#include "tools/skiff/run_definition.h"
#include "tools/skiff/run_session.h"
#include "tools/skiff/task_start.h"
#include "tools/skiff/task_watch.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

// What ends the task, and what its containers get as it is.
constexpr int kStopSignals[] = {SIGINT, SIGTERM};
constexpr int kForwardedSignals[] = {SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

std::vector<int> OwnSignals() {
  std::vector<int> signals(std::begin(kStopSignals), std::end(kStopSignals));
  signals.insert(signals.end(), std::begin(kForwardedSignals), std::end(kForwardedSignals));
  return signals;
}

// One task from the start of its supervisor to its end, or until it runs.
class Session {
 public:
  Session(runtime::PreparedTask task, TaskWatch watch, sys::Process supervisor, UniqueFd signals)
      : task_(std::move(task)),
        watch_(std::move(watch)),
        supervisor_(std::move(supervisor)),
        signals_(std::move(signals)) {}

  // Prints the logs until the task has stopped.
  Result<> Follow(LogPrinterOptions options);
  // Until every container has started, or the task has stopped.
  Result<> WaitUntilRunning();

  const TaskRecord& record() const { return watch_.record(); }
  bool is_lost() const { return is_lost_; }

 private:
  bool HasStarted() const;
  Result<> Step();
  Result<> Refresh();
  void PrintNewWarnings();
  Result<> TakeSignals();
  void Forward(int signal);
  void RequestStop(const std::string& reason);
  void Send(const runtime::ControlRequest& request);

  runtime::PreparedTask task_;
  TaskWatch watch_;
  sys::Process supervisor_;
  UniqueFd signals_;
  std::vector<runtime::ControlRequest> unsent_;  // until the supervisor listens
  int stops_ = 0;
  bool is_lost_ = false;
};

bool Session::HasStarted() const {
  return record().task.started_at.has_value() ||
         record().task.last_status == runtime::TaskStatus::kRunning;
}

void Session::PrintNewWarnings() {
  const std::vector<std::string>& known = task_.plan.warnings;
  for (const runtime::Event& event : watch_.new_events()) {
    bool is_warning = event.type == runtime::EventType::kWarning ||
                      event.type == runtime::EventType::kCleanupFailed;
    if (!is_warning || std::find(known.begin(), known.end(), event.text) != known.end()) continue;
    std::string of = event.container.empty() ? "" : "container " + event.container + ": ";
    PrintWarning(of + Printable(event.text));
  }
}

Result<> Session::Refresh() {
  TRY(watch_.Refresh());
  PrintNewWarnings();
  // The first event tells that the supervisor has the task's lock.
  if (record().events.empty()) return {};
  task_.sweep_hold.Reset();
  std::vector<runtime::ControlRequest> requests = std::move(unsent_);
  unsent_.clear();
  for (const runtime::ControlRequest& request : requests) Send(request);
  return {};
}

// A supervisor that does not listen yet gets the request after its next event.
void Session::Send(const runtime::ControlRequest& request) {
  Result<> sent = SendRequest(task_.plan.roots.ControlSocket(task_.plan.id), request);
  if (sent.ok()) return;
  Code code = sent.error().code();
  bool is_unheard = code == Code::kNotFound || code == Code::kUnavailable;
  bool is_early = is_unheard && !HasStarted();
  if (is_early) {
    unsent_.push_back(request);
  } else if (!record().is_stopped()) {
    PrintWarning("task " + task_.plan.id.Short() + ": " + sent.error().message());
  }
}

void Session::RequestStop(const std::string& reason) {
  runtime::ControlRequest request;
  request.verb = runtime::ControlRequest::Verb::kStop;
  request.reason = reason;
  if (stops_++ > 0) request.timeout = std::chrono::seconds(0);
  Send(request);
}

void Session::Forward(int signal) {
  if (std::find(std::begin(kStopSignals), std::end(kStopSignals), signal) !=
      std::end(kStopSignals)) {
    return RequestStop(signal == SIGINT ? "Interrupted by user" : "Terminated by signal");
  }
  runtime::ControlRequest request;
  request.verb = runtime::ControlRequest::Verb::kSignal;
  request.signal = signal;
  Send(request);
}

Result<> Session::TakeSignals() {
  for (;;) {
    std::optional<int> signal = TRY(sys::ReadSignal(signals_.get()));
    if (!signal) return {};
    Forward(*signal);
  }
}

// Waits for anything to happen and takes notice of it.
Result<> Session::Step() {
  std::vector<int> fds = {supervisor_.pidfd.get(), signals_.get()};
  std::vector<bool> ready = TRY(watch_.Wait(fds, std::nullopt));
  if (ready[1]) TRY(TakeSignals());
  TRY(Refresh());
  bool has_ended = ready[0];
  if (!has_ended || record().is_stopped()) return {};
  is_lost_ = true;
  std::string words = runtime::LastWordsOf(task_.directory);
  if (!words.empty()) PrintError("skiff: supervisor: " + Printable(words) + "\n");
  TRY(RecoverIfDead(task_.plan));
  return watch_.Refresh();
}

Result<> Session::Follow(LogPrinterOptions options) {
  LogPrinter printer(task_.plan, std::move(options));
  std::optional<Error> broken;  // nobody reads what is printed: the task ends
  for (;;) {
    if (!broken) {
      Result<> printed = printer.PrintAvailable();
      if (!printed.ok()) {
        broken = std::move(printed).error();
        RequestStop("Output of skiff run closed");
        continue;
      }
    }
    // Looked at before the last round of printing: the logs were complete then.
    if (record().is_stopped()) break;
    TRY(Step());
  }
  if (broken) return std::move(*broken);
  return {};
}

Result<> Session::WaitUntilRunning() {
  TRY(Refresh());
  while (!HasStarted() && !record().is_stopped()) TRY(Step());
  return {};
}

Result<Session> Start(runtime::PreparedTask task) {
  signal(SIGPIPE, SIG_IGN);
  UniqueFd signals = TRY(sys::MakeSignalFd(OwnSignals()));
  ScopeExit remove([directory = task.directory] { sys::RemoveTree(AT_FDCWD, directory).Ignore(); });
  runtime::StartedSupervisor supervisor = TRY(StartSupervisor(task));
  remove.Cancel();
  TaskWatch watch = TaskWatch::Attend(task.plan, std::move(supervisor.pulse));
  return Session(std::move(task), std::move(watch), std::move(supervisor.process),
                 std::move(signals));
}

// What became of a stopped task, for people.
void PrintEnd(const TaskRecord& record, bool is_quiet_success) {
  const runtime::Task& task = record.task;
  for (const runtime::TaskContainer& container : task.containers) {
    if (container.reason.empty()) continue;
    PrintError("skiff: container " + container.name + ": " + Printable(container.reason) + "\n");
  }
  bool is_by_itself = task.stop_code == runtime::StopCode::kEssentialContainerExited;
  if (is_quiet_success && is_by_itself) return;
  PrintError("skiff: task " + task.id.Short() + " stopped: " + Printable(task.stopped_reason) +
             "\n");
}

int StatusOf(const Session& session) {
  if (session.is_lost()) return kExitNotStarted;
  const TaskRecord& record = session.record();
  return ExitCodeOf(record.plan, record.events).value_or(kExitNotStarted);
}

void Forget(const TaskRecord& record) {
  Result<> removed = RemoveRecord(record);
  if (!removed.ok()) PrintWarning("record of the task kept: " + removed.error().message());
}

Result<int> RunInForeground(Session session, const Run& options, bool is_image,
                            const LookAtEnd& look) {
  LogPrinterOptions logs;
  logs.with_names = !is_image;
  Result<> followed = session.Follow(std::move(logs));
  if (!session.record().is_stopped()) {
    return followed.ok() ? kExitFailure : Result<int>(std::move(followed).error());
  }
  int status = StatusOf(session);
  PrintEnd(session.record(), is_image && status == 0);
  Result<> looked = look ? look(session.record()) : Result<>();
  if (!options.keep) Forget(session.record());
  TRY(std::move(looked));
  if (!followed.ok()) return std::move(followed).error();
  return status;
}

Result<int> RunDetached(Session session) {
  TRY(session.WaitUntilRunning());
  const TaskRecord& record = session.record();
  bool has_failed =
      session.is_lost() || record.task.stop_code == runtime::StopCode::kTaskFailedToStart;
  if (!has_failed) {
    Print(record.plan.id.text() + "\n");
    return 0;
  }
  PrintEnd(record, false);
  Forget(record);
  return StatusOf(session);
}

}  // namespace

Result<int> Carry(const Run& options, const runtime::Roots& roots) {
  return RunTask(options, roots, nullptr);
}

Result<int> RunTask(const Run& options, const runtime::Roots& roots, const LookAtEnd& look) {
  RunDefinition run = TRY(MakeDefinition(options));
  SweepAndWarn(roots);
  std::string what = (run.is_image ? "image " : "task definition ") + options.target;
  Result<runtime::PreparedTask> task = PrepareRun(run, options, roots);
  if (!task.ok() && run.is_image) return std::move(task).error();
  if (!task.ok()) return std::move(task).error().Context(what);
  for (const std::string& warning : task.value().plan.warnings) PrintWarning(Printable(warning));
  Session session = TRY(Start(std::move(task).value()));
  if (options.is_detached) return RunDetached(std::move(session));
  return RunInForeground(std::move(session), options, run.is_image, look);
}

}  // namespace skiff::tools
