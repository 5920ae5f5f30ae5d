// What is known of a container while it exists: <root>/<id>/state.json, in the form of the
// specification's `state`, with what later commands (state, kill, delete) need beside it.
//
//   <root>/               0700, --root
//     .cache/             compiled seccomp programs
//     <id>/state.json
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "isolation/base/result.h"

namespace skiff::isolation::oci {

struct State {
  std::string version;  // ociVersion of the config
  std::string id;
  std::string status;  // "creating", "running"
  pid_t pid = 0;
  std::string bundle;
  std::string rootfs;
  std::string cgroup_path;  // "": no group of its own
  std::string created;
  std::map<std::string, std::string> annotations;
};

std::string EncodeState(const State& state);

// A container's directory: making it claims the id, so two containers never share one.
class StateDirectory {
 public:
  static Result<StateDirectory> Create(const std::string& root, const std::string& id);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();  // removes it, if Remove was not called

  Result<> Store(const State& state) const;
  Result<> Remove();

 private:
  explicit StateDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;  // "": moved from or removed
};

}  // namespace skiff::isolation::oci
