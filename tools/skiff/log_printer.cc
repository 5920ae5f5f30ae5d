#include "tools/skiff/log_printer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "runtime/model/json_text.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

constexpr std::array<const char*, 6> kColors = {"36", "33", "32", "35", "34", "31"};

std::string PrefixOf(const std::string& name, size_t width, size_t index, int fd) {
  std::string text = name + std::string(width - name.size(), ' ') + " |";
  if (!HasColors(fd)) return text + " ";
  return std::string("\033[") + kColors[index % kColors.size()] + "m" + text + "\033[0m ";
}

}  // namespace

std::string FormatLogLine(const runtime::LogLine& line, const LogPrinterOptions& options,
                          const std::string& prefix) {
  std::string text;
  if (options.with_names) text += prefix;
  if (options.with_timestamps) text += FormatRfc3339(line.wall_nanoseconds) + " ";
  bool is_bare = text.empty();
  if (line.is_notice) text += "skiff: ";
  text += line.text;
  if (!line.is_partial || line.is_notice || !is_bare) text += '\n';
  return text;
}

std::string FormatLogJson(const runtime::LogLine& line, const std::string& container) {
  std::string text;
  runtime::MemberWriter writer(text);
  writer("time", FormatRfc3339(line.wall_nanoseconds));
  writer("container", container);
  writer("stream", std::string(line.stream == runtime::LogStream::kStdout ? "stdout" : "stderr"));
  writer.Always("message", line.text);
  if (line.is_partial) writer("isPartial", true);
  if (line.is_notice) writer("isNotice", true);
  writer.Close();
  return text + "\n";
}

LogPrinter::LogPrinter(const runtime::TaskPlan& plan, LogPrinterOptions options)
    : options_(std::move(options)) {
  size_t width = 0;
  for (const runtime::ContainerPlan& container : plan.containers) {
    width = std::max(width, container.name.size());
  }
  for (size_t i = 0; i < plan.containers.size(); ++i) {
    const runtime::ContainerPlan& container = plan.containers[i];
    if (!options_.container.empty() && options_.container != container.name) continue;
    Source& source = sources_.emplace_back();
    source.container = container.name;
    source.directory = container.log_directory;
    source.prefixes[0] = PrefixOf(container.name, width, i, STDOUT_FILENO);
    source.prefixes[1] = PrefixOf(container.name, width, i, STDERR_FILENO);
  }
}

Result<> LogPrinter::OpenReader(Source& source) {
  if (source.reader) return {};
  Result<UniqueFd> directory = sys::OpenDirectory(AT_FDCWD, source.directory);
  if (!directory.ok() && directory.error().code() == Code::kNotFound) return {};
  if (!directory.ok()) return std::move(directory).error();
  runtime::LogReaderOptions options;
  options.since = options_.since;
  options.tail = options_.tail;
  source.reader = TRY(runtime::LogReader::Open(std::move(directory).value(), options));
  return {};
}

Result<> LogPrinter::PrintAvailable() {
  for (Source& source : sources_) {
    TRY(OpenReader(source));
    if (!source.reader) continue;
    TRY(source.reader->ReadAvailable([&](const runtime::LogLine& line) {
      if (options_.is_json) return Print(FormatLogJson(line, source.container));
      bool is_error = line.stream == runtime::LogStream::kStderr || line.is_notice;
      std::string text = FormatLogLine(line, options_, source.prefixes[is_error ? 1 : 0]);
      if (is_error) {
        PrintError(text);
      } else {
        Print(text);
      }
    }));
  }
  return Flush();
}

Result<std::vector<int>> LogPrinter::Follow() {
  std::vector<int> fds;
  for (Source& source : sources_) {
    TRY(OpenReader(source));
    if (!source.reader) continue;
    int fd = TRY(source.reader->Follow());
    fds.push_back(fd);
  }
  return fds;
}

}  // namespace skiff::tools
