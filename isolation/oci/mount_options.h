// The words of a mount's `options` in config.json, as mount(8) has them, sorted into what they
// mean: attributes of the mount, a bind, or parameters of the file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/container_spec.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// `bundle` is where a relative bind source begins. A mount of type cgroup is returned as kCgroup.
// Errors name the mount and the option.
// The words above that are not parameters of a file system, sorted.
std::vector<std::string> KnownMountOptions();

// `config` has the container's own mappings, which an idmap refers to.
Result<MountSpec> ParseMountOptions(const Mount& mount, const std::string& bundle,
                                    const Config& config);

// "rslave": MS_SLAVE, with what is below.
struct Propagation {
  uint64_t value = 0;
  bool is_recursive = false;
};
std::optional<Propagation> PropagationByName(std::string_view name);

}  // namespace skiff::isolation::oci
