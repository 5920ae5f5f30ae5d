#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/oci/state.h"

namespace skiff::isolation::oci {
namespace {

// In the order everybody writes it, so that people find what they look for.
nlohmann::ordered_json PublicState(const State& state) {
  nlohmann::ordered_json encoded = {
      {"ociVersion", state.version}, {"id", state.id},         {"pid", state.pid},
      {"status", state.status},      {"bundle", state.bundle}, {"rootfs", state.rootfs},
      {"created", state.created},    {"owner", state.owner}};
  if (!state.annotations.empty()) encoded["annotations"] = state.annotations;
  return encoded;
}

constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

}  // namespace

std::string EncodePublicState(const State& state) {
  return PublicState(state).dump(2, ' ', false, kReplace) + "\n";
}

std::string EncodeProcessState(const State& state, pid_t pid, const std::string& metadata) {
  // The version of this message, as the specification and crun have it.
  nlohmann::ordered_json encoded = {{"ociVersion", "0.2.0"},
                                    {"fds", {"seccompFd"}},
                                    {"pid", pid},
                                    {"metadata", metadata},
                                    {"state", PublicState(state)}};
  return encoded.dump(-1, ' ', false, kReplace);
}

std::string EncodeStates(const std::vector<State>& states) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const State& state : states) list.push_back(PublicState(state));
  return list.dump(-1, ' ', false, kReplace) + "\n";
}

std::string EncodeState(const State& state) {
  nlohmann::ordered_json encoded = PublicState(state);
  encoded["cgroupPath"] = state.cgroup_path;
  if (state.is_cgroup_shared) encoded["cgroupShared"] = true;
  if (!state.systemd_unit.empty()) {
    encoded["systemdUnit"] = state.systemd_unit;
    encoded["systemdUser"] = state.is_systemd_user;
  }
  if (state.root_mount != 0) encoded["rootMount"] = state.root_mount;
  encoded["pidStart"] = state.pid_start;
  // The name crun gives it; who checkpoints asks for it. Streams are not looked into here.
  encoded["external_descriptors"] = "[]";
  return encoded.dump(-1, ' ', false, kReplace) + "\n";
}

Result<State> DecodeState(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "state"));
  JsonCursor root = document.root();
  State state;
  for (auto [name, member] : {std::pair{"ociVersion", &state.version},
                              {"id", &state.id},
                              {"status", &state.status},
                              {"bundle", &state.bundle},
                              {"rootfs", &state.rootfs},
                              {"cgroupPath", &state.cgroup_path},
                              {"created", &state.created},
                              {"owner", &state.owner}}) {
    JsonCursor cursor = TRY(root.Get(name));
    *member = TRY(cursor.String());
  }
  JsonCursor pid = TRY(root.Get("pid"));
  state.pid = static_cast<pid_t>(TRY(pid.Integer(0, INT32_MAX)));
  JsonCursor start = TRY(root.Get("pidStart"));
  state.pid_start = static_cast<uint64_t>(TRY(start.Integer(0)));
  std::optional<bool> is_shared = TRY(root.FindBoolean("cgroupShared"));
  state.is_cgroup_shared = is_shared.value_or(false);
  std::optional<std::string> unit = TRY(root.FindString("systemdUnit"));
  std::optional<bool> is_user = TRY(root.FindBoolean("systemdUser"));
  state.systemd_unit = unit.value_or("");
  state.is_systemd_user = is_user.value_or(false);
  std::optional<int64_t> root_mount = TRY(root.FindInteger("rootMount", 0));
  state.root_mount = static_cast<uint64_t>(root_mount.value_or(0));
  std::optional<JsonCursor> annotations = TRY(root.Find("annotations"));
  if (!annotations) return state;
  auto members = TRY(annotations->Members());
  for (const auto& [name, cursor] : members) {
    std::string value = TRY(cursor.String());
    state.annotations.emplace(name, std::move(value));
  }
  return state;
}

}  // namespace skiff::isolation::oci
