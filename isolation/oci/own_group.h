// The cgroup of a container that is being made: below the hierarchies' roots, or as a scope of
// systemd. It goes with this object unless it is kept.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/cgroup.h"
#include "isolation/oci/config.h"
#include "isolation/oci/systemd_unit.h"
#include "isolation/systemd/scope.h"

namespace skiff::isolation::oci {

// Whether the caller's own service manager is the one to ask: he is not the host's root.
bool HasOwnManager();

class OwnGroup {
 public:
  using Warn = std::function<void(std::string_view)>;
  OwnGroup() = default;
  OwnGroup(OwnGroup&&) = delete;
  ~OwnGroup() { Remove().Ignore(); }

  Result<> Create(const std::string& path, const Config& config, const Warn& warn);
  Result<> CreateScope(const SystemdBus& bus, const ScopeName& name, const std::string& id,
                       const Config& config, const Warn& warn);
  // For the container's process, where it cannot be cloned into the group: LaunchCallbacks.
  Result<> Join(pid_t pid);
  // The process is in it: a scope needs no other any more.
  void Settle();
  Result<> Remove();
  void Keep() { host_.reset(); }

  const Cgroup* get() const { return cgroup_ ? &*cgroup_ : nullptr; }
  std::string path() const { return cgroup_ ? cgroup_->path() : ""; }
  bool is_shared() const { return is_shared_; }
  const CgroupHost& host() const { return *host_; }
  const std::string& unit() const { return unit_; }  // "": no scope
  bool is_user() const { return bus_.is_user; }
  // Cloning into it would not do: the place in it is taken, or is not the caller's to give.
  bool must_be_joined() const { return must_be_joined_; }

 private:
  Result<> MakeFiles(const std::string& path, const Config& config, const Warn& warn);

  std::optional<CgroupHost> host_;
  std::optional<Cgroup> cgroup_;
  bool is_shared_ = false;  // there were processes of others
  bool has_own_parents_ = false;
  SystemdBus bus_;
  std::string unit_;
  std::optional<SystemdScope> scope_;
  bool must_be_joined_ = false;
};

}  // namespace skiff::isolation::oci
