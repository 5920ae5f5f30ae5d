#include "tools/skiff/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace skiff::tools {

void Print(std::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

void PrintError(std::string_view text) { fwrite(text.data(), 1, text.size(), stderr); }

void PrintWarning(std::string_view text) {
  PrintError("skiff: warning: " + std::string(text) + "\n");
}

Result<> Flush() {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return {};
  return Error::FromErrno(errno, "write to standard output");
}

bool IsTerminal(int fd) { return isatty(fd) == 1; }

bool CanRedraw(int fd) {
  const char* kind = getenv("TERM");
  return IsTerminal(fd) && (kind == nullptr || std::string_view(kind) != "dumb");
}

TerminalSize SizeOfTerminal(int fd) {
  winsize size{};
  bool is_known = ioctl(fd, TIOCGWINSZ, &size) == 0;
  constexpr size_t kColumns = 80;
  constexpr size_t kRows = 24;
  size_t columns = is_known && size.ws_col > 0 ? size.ws_col : kColumns;
  size_t rows = is_known && size.ws_row > 0 ? size.ws_row : kRows;
  return {std::max<size_t>(columns, 2), std::max<size_t>(rows, 2)};
}

bool HasColors(int fd) {
  const char* no_color = getenv("NO_COLOR");
  return IsTerminal(fd) && (no_color == nullptr || *no_color == '\0');
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string FormatAge(int64_t nanoseconds) {
  struct Unit {
    int64_t seconds;
    const char* name;
  };
  constexpr Unit kUnits[] = {{86'400, "day"}, {3'600, "hour"}, {60, "minute"}, {1, "second"}};
  int64_t seconds = std::max<int64_t>(nanoseconds, 0) / 1'000'000'000;
  for (const Unit& unit : kUnits) {
    int64_t count = seconds / unit.seconds;
    if (count > 0) return std::to_string(count) + " " + unit.name + (count == 1 ? "" : "s");
  }
  return "0 seconds";
}

std::string FormatSize(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  bool is_small = unit > 0 && value < 10;
  snprintf(text, sizeof(text), is_small ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text;
}

std::string Printable(std::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return printable;
}

}  // namespace skiff::tools
