#include "isolation/oci/state.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "isolation/sys/file.h"

namespace skiff::isolation::oci {

Result<StateDirectory> StateDirectory::Create(const std::string& root, const std::string& id) {
  TRY(sys::MakeDirectories(root, 0700));
  std::string path = root + "/" + id;
  Result<> made = sys::MakeDirectory(AT_FDCWD, path, 0700);
  if (!made.ok() && made.error().sys_errno() == EEXIST) {
    return Error(Code::kConflict, "container id '" + id + "' is in use: its state is in " + path);
  }
  if (!made.ok()) return std::move(made).error();
  return StateDirectory(path);
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

StateDirectory::~StateDirectory() { Remove().Ignore(); }

// Renamed into place: who reads sees the old or the new one. A reboot may take it, as it takes the
// container.
Result<> StateDirectory::Store(const State& state) const {
  std::string fresh = path_ + "/state.json.new";
  TRY(sys::WriteFile(AT_FDCWD, fresh, EncodeState(state)));
  return sys::Rename(AT_FDCWD, fresh, AT_FDCWD, path_ + "/state.json");
}

Result<> StateDirectory::Remove() {
  if (path_.empty()) return {};
  return sys::RemoveTree(AT_FDCWD, std::exchange(path_, ""));
}

}  // namespace skiff::isolation::oci
