// skiffd: the daemon.
#include <cstdio>
#include <string>
#include <vector>

#include "isolation/base/log.h"
#include "tools/skiffd/daemon.h"
#include "tools/skiffd/options.h"
#include "tools/skiffd/systemd.h"

namespace {

using skiff::Result;

Result<> Serve(skiff::tools::DaemonOptions options) {
  std::vector<skiff::UniqueFd> inherited = TRY(skiff::tools::TakeInheritedSockets());
  std::unique_ptr<skiff::tools::Daemon> daemon =
      TRY(skiff::tools::Daemon::Open(std::move(options), std::move(inherited)));
  return daemon->Run();
}

}  // namespace

int main(int argc, char** argv) {
  skiff::tools::ParsedDaemonArguments parsed =
      skiff::tools::ParseDaemonArguments({argv + 1, argv + argc});
  fputs(parsed.output.c_str(), stdout);
  fputs(parsed.error.c_str(), stderr);
  if (!parsed.options) return parsed.status;
  if (parsed.options->print_config) {
    fputs(EncodeOptions(*parsed.options).c_str(), stdout);
    return 0;
  }
  Result<> served = Serve(std::move(*parsed.options));
  if (served.ok()) return 0;
  skiff::Log(skiff::LogLevel::kError, served.error().message());
  return 1;
}
