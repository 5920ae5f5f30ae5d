// `skiff-oci run`: one container from a bundle, in the foreground, from the first byte of
// config.json to the last trace removed.
//
// A single-threaded process. The container inherits the three standard streams and dies with the
// caller. Signals that reach the caller are passed on.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::isolation::oci {

struct RunOptions {
  std::string root;    // directory of all state
  std::string bundle;  // directory with config.json
  std::string id;
  std::string pid_file;  // "": none
  bool has_cgroup =
      true;  // without: no limits and no device rules; a config with limits is refused
  std::function<void(std::string_view)> warn;
  std::function<void(std::string_view)> debug;  // how long each step of the start took
};

// How a run ended that never began: 126 or 127 when the program could not be executed, else 1.
inline constexpr int kRunFailed = 1;

// The container's exit code, 128 + signal when one killed it. On an error nothing is left behind
// and `failure_code` is what to exit with.
Result<int> Run(const RunOptions& options, int* failure_code);

}  // namespace skiff::isolation::oci
