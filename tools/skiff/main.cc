// skiff: the command line.
#include <fcntl.h>
#include <unistd.h>

#include <type_traits>

#include "tools/skiff/command_line.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

Result<int> CarryAsRoot(const CommandLine& line) {
  return std::visit(
      [&](const auto& options) -> Result<int> {
        constexpr bool kNeedsRoot = !std::is_same_v<std::decay_t<decltype(options)>, Doctor>;
        std::string name = NameOf(options);
        if (kNeedsRoot && geteuid() != 0) return Error(Code::kDenied, name + ": needs root");
        int status = TRY(Carry(options, line.roots).Context(name));
        TRY(Flush().Context(name));
        return status;
      },
      line.command);
}

int Main(std::vector<std::string> arguments) {
  ParsedArguments parsed = ParseArguments(std::move(arguments));
  Print(parsed.output);
  PrintError(parsed.error);
  if (!parsed.command_line) return Flush().ok() ? parsed.status : kExitFailure;
  Result<int> status = CarryAsRoot(*parsed.command_line);
  if (status.ok()) return status.value();
  Flush().Ignore();
  PrintError("skiff: " + Printable(status.error().message()) + "\n");
  return ExitStatusOf(status.error().code());
}

// A descriptor 0, 1 or 2 that is closed would be given to the next file opened, and written to.
void OpenStandardDescriptors() {
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) close(fd);
}

}  // namespace
}  // namespace skiff::tools

int main(int argc, char** argv) {
  skiff::tools::OpenStandardDescriptors();
  return skiff::tools::Main(std::vector<std::string>(argv + 1, argv + argc));
}
