// What skiff-oci tells of itself: an example config.json and the specification's `features`.
#pragma once

#include <string>

namespace skiff::isolation::oci {

// A bundle's config.json to begin with: a shell with a terminal in all namespaces. Rootless: in a
// user namespace in which the caller is root.
// Without a cgroup namespace where cgroup v1 is still in use, as runc has it: programs there look
// for their groups by the host's paths.
std::string ExampleConfig(bool is_rootless, unsigned uid, unsigned gid, bool has_cgroup_v1);

// runtime-spec, features.md. Truthful: what is listed works.
std::string DescribeFeatures();

}  // namespace skiff::isolation::oci
