#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/oci/state.h"

namespace skiff::isolation::oci {

std::string EncodeState(const State& state) {
  nlohmann::json encoded = {{"ociVersion", state.version}, {"id", state.id},
                            {"status", state.status},      {"bundle", state.bundle},
                            {"rootfs", state.rootfs},      {"cgroupPath", state.cgroup_path},
                            {"created", state.created}};
  if (state.pid > 0) encoded["pid"] = state.pid;
  if (!state.annotations.empty()) encoded["annotations"] = state.annotations;
  return EncodeJson(encoded) + "\n";
}

}  // namespace skiff::isolation::oci
