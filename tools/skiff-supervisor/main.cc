// skiff-supervisor TASK_DIRECTORY: carries out the plan.json in it. Started by skiff, not by
// people.
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "isolation/base/log.h"
#include "runtime/supervisor/supervisor.h"

int main(int argc, char** argv) {
  using skiff::Log;
  using skiff::LogLevel;
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    puts("skiff-supervisor " SKIFF_VERSION);
    return 0;
  }
  if (argc != 2 || argv[1][0] != '/') {
    fputs(
        "usage: skiff-supervisor TASK_DIRECTORY\nRuns one task from the plan.json in the "
        "directory; `skiff run` "
        "starts it.\n",
        stderr);
    return 2;
  }
  // Executed by descriptor, it would be called by that one's number.
  pthread_setname_np(pthread_self(), "skiff-superviso");
  auto supervisor = skiff::runtime::Supervisor::Open(argv[1]);
  if (!supervisor.ok()) {
    Log(LogLevel::kError, supervisor.error().message());
    return 1;
  }
  return supervisor.value()->Run() ? 0 : 1;
}
