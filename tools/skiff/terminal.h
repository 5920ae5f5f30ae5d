// What skiff prints. Output that cannot be written is reported once, by Flush.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::tools {

void Print(std::string_view text);         // to standard output, buffered
void PrintError(std::string_view text);    // to standard error, at once
void PrintWarning(std::string_view text);  // "skiff: warning: <text>"
// What was printed has arrived; an error when some of it has not.
Result<> Flush();

bool IsTerminal(int fd);
// IsTerminal, and one that can write over what it shows.
bool CanRedraw(int fd);
struct TerminalSize {
  size_t columns;
  size_t rows;
};
// At this moment; 80 by 24 when it does not say. Neither is less than 2.
TerminalSize SizeOfTerminal(int fd);
// IsTerminal, unless the user does not want colours.
bool HasColors(int fd);

// Columns as wide as their widest cell, two spaces apart, the last one free.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// "12 seconds", "5 minutes", "3 hours", "2 days".
std::string FormatAge(int64_t nanoseconds);
// "0 B", "1.5 KiB", "12 MiB".
std::string FormatSize(uint64_t bytes);
// Unprintable bytes become '?': a name from elsewhere must not steer the terminal.
std::string Printable(std::string_view text);

}  // namespace skiff::tools
