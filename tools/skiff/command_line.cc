#include "tools/skiff/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <sstream>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "runtime/model/limits.h"
#include "tools/skiff/completion.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/flag_values.h"
#include "tools/skiff/help_texts.h"
#include "tools/skiff/image_command_line.h"
#include "tools/skiff/isolation_option.h"

namespace skiff::tools {
namespace {

constexpr uint64_t kMaxStopSeconds = 86'400;

// A flag whose value ends as one of the options: `parse` stores it or says what is wrong with it.
template <typename Parse>
CLI::Option* AddParsed(CLI::App* app, const std::string& names, const std::string& text,
                       const std::string& form, Parse parse) {
  CLI::callback_t store = [names, parse](const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      Result<> result = parse(value);
      if (!result.ok()) throw CLI::ValidationError(names, result.error().message());
    }
    return true;
  };
  return app->add_option(names, store, text)->type_name(form);
}

template <typename T, typename Parse>
CLI::Option* AddValue(CLI::App* app, const std::string& names, const std::string& text,
                      const std::string& form, std::optional<T>* target, Parse parse) {
  return AddParsed(app, names, text, form,
                   [target, parse](const std::string& value) -> Result<> {
                     *target = TRY(parse(value));
                     return {};
                   })
      ->expected(1);
}

template <typename T, typename Parse>
CLI::Option* AddList(CLI::App* app, const std::string& names, const std::string& text,
                     const std::string& form, std::vector<T>* target, Parse parse) {
  return AddParsed(app, names, text, form,
                   [target, parse](const std::string& value) -> Result<> {
                     T parsed = TRY(parse(value));
                     target->push_back(std::move(parsed));
                     return {};
                   })
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Result<std::chrono::seconds> ParseStopTimeout(const std::string& text) {
  std::optional<uint64_t> seconds = ParseUint(text, kMaxStopSeconds);
  if (!seconds) return Error(Code::kInvalid, "expected seconds up to 86400, got '" + text + "'");
  return std::chrono::seconds(*seconds);
}

Result<uint64_t> ParseCount(const std::string& text) {
  std::optional<uint64_t> count = ParseUint(text, UINT32_MAX);
  if (!count) return Error(Code::kInvalid, "expected a number, got '" + text + "'");
  return *count;
}

Result<int64_t> ParseCpu(const std::string& text) {
  std::optional<uint64_t> units = ParseUint(text, static_cast<uint64_t>(runtime::kMaxTaskCpu));
  if (!units || *units == 0) {
    return Error(Code::kInvalid, "expected CPU units (1024 are one CPU), got '" + text + "'");
  }
  return static_cast<int64_t>(*units);
}

Result<runtime::NetworkMode> ParseNetwork(const std::string& text) {
  for (runtime::NetworkMode mode :
       {runtime::NetworkMode::kAwsvpc, runtime::NetworkMode::kHost, runtime::NetworkMode::kNone}) {
    if (runtime::NetworkModeName(mode) == text) return mode;
  }
  return Error(Code::kInvalid, "expected awsvpc, host or none, got '" + text + "'");
}

// What CLI11 fills while it parses; the chosen command is taken out at the end.
struct Commands {
  ImageCommands images;
  Run run;
  Ps ps;
  Logs logs;
  Stop stop;
  Remove remove;
  Inspect inspect;
  Events events;
  Doctor doctor;
  Explain explain;
  TraceSyscalls trace;
  std::optional<Command> chosen;
};

template <typename T>
CLI::App* AddCommand(CLI::App* parent, Commands* commands, T* options, const std::string& name,
                     const std::string& text, const char* footer) {
  CLI::App* app = parent->add_subcommand(name, text);
  app->fallthrough();
  app->footer(footer);
  app->callback([commands, options] { commands->chosen = *options; });
  return app;
}

// Records that a flag was given which only an image run has.
void AddImageRunFlags(CLI::App* app, Run* run) {
  ImageRunOptions* image = &run->image;
  std::vector<CLI::Option*> added = {
      AddList(app, "-e,--env", "A variable of the environment; repeatable", "NAME=VALUE",
              &image->environment, ParseVariable),
      app->add_option("--user", image->user, "User, as NAME, UID or UID:GID"),
      app->add_option("-w,--workdir", image->working_directory, "Working directory"),
      app->add_option("--entrypoint", image->entry_point, "Program instead of the image's"),
      AddValue(app, "--cpu", "CPU limit in units of 1/1024 CPU", "UNITS", &image->cpu, ParseCpu),
      AddValue(app, "--memory", "Memory limit: 512, 512m, 1.5g", "SIZE", &image->memory,
               ParseMemory),
      app->add_flag("--read-only", image->is_read_only, "Read-only root file system"),
      AddList(app, "--ulimit", "A resource limit; repeatable", "NAME=SOFT[:HARD]", &image->ulimits,
              ParseUlimit),
  };
  for (CLI::Option* option : added) {
    std::string name = option->get_name();
    option->group("Container of an image");
    option->each([run, name](const std::string&) { run->image_flags.push_back(name); });
  }
}

// What is to run, and what decides how: of run and of what looks at or into a run.
void AddTarget(CLI::App* app, Run* run) {
  app->add_option("TARGET", run->target, "Task definition (JSON file) or image")->required();
  AddValue(app, "--network", "awsvpc (its own address), host or none", "MODE", &run->network,
           ParseNetwork);
  AddList(app, "-p,--publish", "A port of the host that leads to the task; repeatable",
          "HOST:CONTAINER[/udp]", &run->ports, ParsePublish);
  AddParsed(app, "--isolation", "Layers of the confinement: off, on or otherwise", "KEY=VALUE,...",
            [run](const std::string& text) { return ParseIsolation(text, &run->isolation); })
      ->expected(1);
}

// Of what really runs.
void AddPull(CLI::App* app, Run* run) {
  AddValue(app, "--pull", "Images from their registry: always, missing (default) or never", "WHEN",
           &run->pull, ParsePullPolicy);
}

void AddExplain(CLI::App* program, Commands* all) {
  CLI::App* app = AddCommand(program, all, &all->explain, "explain",
                             "What each container would get, and from which rule", kExplainFooter);
  AddTarget(app, &all->explain.run);
  AddImageRunFlags(app, &all->explain.run);
  app->add_flag("--json", all->explain.is_json, "One JSON document");
}

void AddTraceSyscalls(CLI::App* program, Commands* all) {
  TraceSyscalls* trace = &all->trace;
  CLI::App* app =
      AddCommand(program, all, trace, "trace-syscalls",
                 "Run once, and write a seccomp profile of what was used", kTraceFooter);
  AddTarget(app, &trace->run);
  AddPull(app, &trace->run);
  AddImageRunFlags(app, &trace->run);
  app->add_option("-o,--output", trace->output, "The profile's file")
      ->type_name("FILE")
      ->capture_default_str();
}

void AddRun(CLI::App* program, Commands* all) {
  Run* run = &all->run;
  CLI::App* app =
      AddCommand(program, all, run, "run",
                 "Run a task definition or an image: skiff run TARGET [-- COMMAND...]", kRunFooter);
  AddTarget(app, run);
  AddPull(app, run);
  app->add_flag("-d,--detach", run->is_detached, "Print the task's id once it runs, and return");
  app->add_flag("--keep", run->keep, "Keep the record of a foreground task");
  AddValue(app, "--stop-timeout", "Seconds from the stop signal to SIGKILL", "SECONDS",
           &run->stop_timeout, ParseStopTimeout);
  AddImageRunFlags(app, run);
}

void AddLogs(CLI::App* program, Commands* all) {
  Logs* logs = &all->logs;
  CLI::App* app =
      AddCommand(program, all, logs, "logs", "Print what a task's containers wrote", kLogsFooter);
  app->add_option("TASK", logs->task, "Task id")->required();
  app->add_option("CONTAINER", logs->container, "Only this container");
  app->add_flag("-f,--follow", logs->is_following, "Go on until the task has stopped");
  AddValue(app, "--since", "Only lines from then on", "DURATION|TIME", &logs->since,
           [](const std::string& text) { return ParseSince(text, WallNanoseconds()); });
  AddValue(app, "--tail", "Only the last lines of each container", "N", &logs->tail, ParseCount);
  CLI::Option* times =
      app->add_flag("--timestamps", logs->with_timestamps, "Begin each line with its time");
  app->add_flag("--json", logs->is_json, "One JSON object a line, all to standard output")
      ->excludes(times);
}

void AddTaskCommands(CLI::App* program, Commands* all) {
  CLI::App* ps = AddCommand(program, all, &all->ps, "ps", "List tasks", kPsFooter);
  ps->add_flag("-a,--all", all->ps.is_all, "Stopped tasks as well");
  ps->add_flag("--json", all->ps.is_json, "One JSON array");
  ps->add_flag("-q,--quiet", all->ps.is_quiet, "Ids only");
  AddLogs(program, all);
  CLI::App* events = AddCommand(program, all, &all->events, "events",
                                "Print what becomes of the daemon's tasks", kEventsFooter);
  events->add_flag("--json", all->events.is_json, "Whole events, one JSON object a line");
  events
      ->add_option("--socket", all->events.socket,
                   "The daemon's events socket (default: RUN_ROOT/events.sock)")
      ->type_name("PATH");
  CLI::App* stop = AddCommand(program, all, &all->stop, "stop", "Stop tasks", kStopFooter);
  stop->add_option("TASK", all->stop.tasks, "Task ids")->required();
  AddValue(stop, "--timeout", "Seconds from the stop signal to SIGKILL", "SECONDS",
           &all->stop.timeout, ParseStopTimeout);
  stop->add_option("--reason", all->stop.reason, "Kept as the task's stoppedReason");
  stop->add_flag("--json", all->stop.is_json, "One JSON array of the stopped tasks");
  CLI::App* remove =
      AddCommand(program, all, &all->remove, "rm", "Remove the record of tasks", kRemoveFooter);
  remove->add_option("TASK", all->remove.tasks, "Task ids")->required();
  remove->add_flag("--force", all->remove.is_forced, "Stop what still runs");
  CLI::App* inspect =
      AddCommand(program, all, &all->inspect, "inspect", "Describe a task in JSON", kInspectFooter);
  inspect->add_option("TASK", all->inspect.task, "Task id")->required();
  CLI::Option* json = inspect->add_flag("--json", all->inspect.is_json, "As it is without flags");
  inspect->add_flag("--latency", all->inspect.is_latency, "The steps of its start as a table")
      ->excludes(json);
}

void AddRoots(CLI::App* program, runtime::Roots* roots) {
  program->add_option("--data-root", roots->data, "What survives a reboot")
      ->capture_default_str()
      ->envname("SKIFF_DATA_ROOT")
      ->type_name("DIR");
  program->add_option("--run-root", roots->run, "What a reboot may take")
      ->capture_default_str()
      ->envname("SKIFF_RUN_ROOT")
      ->type_name("DIR");
}

// Names of kernel objects derive from the text of the root: one directory, one text.
std::string Normal(const std::string& path) {
  std::string text = std::filesystem::absolute(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

// CLI11 would take [a,b] for a list; what follows "--" must arrive as it was typed.
std::vector<std::string> TakeCommand(std::vector<std::string>* arguments) {
  auto mark = std::find(arguments->begin(), arguments->end(), "--");
  if (mark == arguments->end()) return {};
  std::vector<std::string> command(mark + 1, arguments->end());
  arguments->erase(mark, arguments->end());
  return command;
}

// What the command runs, or would run; null when it runs nothing.
Run* RunOf(Command* command) {
  if (Explain* explain = std::get_if<Explain>(command)) return &explain->run;
  if (TraceSyscalls* trace = std::get_if<TraceSyscalls>(command)) return &trace->run;
  return std::get_if<Run>(command);
}

void Describe(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>* all) {
  CompletedCommand command{path, app.get_description(), {}, {}, false};
  std::vector<const CLI::App*> inner = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* each : inner) command.words.push_back(each->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) command.flags.push_back("--" + name);
    command.takes_tasks |= option->get_positional() && option->get_name() == "TASK";
  }
  all->push_back(std::move(command));
  for (const CLI::App* each : inner) {
    Describe(*each, path.empty() ? each->get_name() : path + " " + each->get_name(), all);
  }
}

// Answered here: only here is known what the command line is made of.
void AddCompletion(CLI::App* program) {
  CLI::App* app = program->add_subcommand("completion", "Print a script for your shell");
  app->footer(kCompletionFooter);
  auto print = [program](const std::string& shell) {
    std::vector<CompletedCommand> commands;
    Describe(*program, "", &commands);
    Result<std::string> script = CompletionScript(shell, commands);
    if (!script.ok()) throw CLI::ValidationError("SHELL", script.error().message());
    throw CLI::Success(script.value(), CLI::ExitCodes::Success);
  };
  app->add_option_function<std::string>("SHELL", print, "bash, zsh or fish")->required();
}

ParsedArguments Refused(const std::string& text) {
  ParsedArguments parsed;
  parsed.status = kExitUsage;
  parsed.error = "skiff: " + text + "\n";
  return parsed;
}

ParsedArguments Told(const CLI::App& program, const CLI::ParseError& error) {
  ParsedArguments parsed;
  if (error.get_name() == "Success") {
    parsed.output = error.what();
    return parsed;
  }
  if (error.get_exit_code() != 0) return Refused(std::string(error.what()) + " (see --help)");
  std::ostringstream output;
  std::ostringstream errors;
  program.exit(error, output, errors);
  parsed.output = output.str();
  return parsed;
}

}  // namespace

ParsedArguments ParseArguments(std::vector<std::string> arguments) {
  std::vector<std::string> command = TakeCommand(&arguments);
  CommandLine line;
  Commands all;
  CLI::App program(kProgramHelp, "skiff");
  program.footer(kProgramFooter + ExitStatusHelp());
  program.set_version_flag("--version", "skiff " SKIFF_VERSION);
  program.require_subcommand(1);
  AddRoots(&program, &line.roots);
  AddRun(&program, &all);
  AddExplain(&program, &all);
  AddTraceSyscalls(&program, &all);
  AddTaskCommands(&program, &all);
  AddImageCommands(&program, &all.images, &all.chosen);
  CLI::App* doctor = AddCommand(&program, &all, &all.doctor, "doctor",
                                "Check what this host has and what is missing", kDoctorFooter);
  doctor->add_flag("--json", all.doctor.is_json, "One JSON document");
  AddCompletion(&program);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    program.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return Told(program, error);
  }
  Run* run = RunOf(&*all.chosen);
  if (!command.empty() && run == nullptr) {
    return Refused("only run, explain and trace-syscalls take a command after --");
  }
  if (run != nullptr) run->image.command = std::move(command);
  line.roots.data = Normal(line.roots.data);
  line.roots.run = Normal(line.roots.run);
  line.command = std::move(*all.chosen);
  ParsedArguments parsed;
  parsed.command_line = std::move(line);
  return parsed;
}

}  // namespace skiff::tools
