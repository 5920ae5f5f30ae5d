// A minimal root file system made of the host's static busybox, as a layer directory for overlay
// mounts, and the words to run a shell script in it under full isolation.
#pragma once

#include <string>

#include "isolation/cgroup.h"
#include "isolation/container_spec.h"
#include "isolation/launch.h"
#include "tests/support/temp_dir.h"

namespace skiff::test {

class BusyboxRoot {
 public:
  BusyboxRoot();
  const std::string& layer() const { return layer_; }
  // A fresh overlay over the layer.
  Result<UniqueFd> MountRoot();
  // A spec that runs `script` with the busybox shell, standard file systems and default confinement
  // set.
  isolation::ContainerSpec Script(const std::string& script, int root_mount) const;

 private:
  TempDir directory_;
  std::string layer_;
  int mounts_ = 0;
};

struct Outcome {
  sys::ExitStatus status;
  std::string output;  // standard output and error
};
// Launches with a pipe for the streams, reads until it closes, reaps.
Result<Outcome> RunToEnd(isolation::ContainerSpec spec, const isolation::Cgroup* cgroup,
                         isolation::LaunchFailure* failure = nullptr);

}  // namespace skiff::test
