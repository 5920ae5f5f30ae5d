// What a supervisor carries out: complete, concrete, with nothing left to decide. MakePlan is pure:
// the same definition, images and host facts give the same plan. It travels as plan.json in the
// task's directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/config.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/capabilities.h"
#include "runtime/model/ids.h"
#include "runtime/model/task_definition.h"
#include "runtime/plan/confinement.h"
#include "runtime/plan/paths.h"

namespace skiff::runtime {

struct RlimitPlan {
  int resource = 0;  // RLIMIT_*
  uint64_t soft = 0;
  uint64_t hard = 0;
  bool operator==(const RlimitPlan&) const = default;
};

struct LimitsPlan {
  std::optional<Bytes> memory_max;
  std::optional<Bytes> memory_low;
  std::optional<uint64_t> cpu_quota_us;  // per 100 ms
  std::optional<uint64_t> cpu_shares;
  std::optional<uint64_t> pids_max;
  bool operator==(const LimitsPlan&) const = default;
};

struct ContainerPlan {
  std::string name;
  std::string image;
  std::string image_digest;  // of the configuration: the image's id
  std::string runtime_id;
  std::vector<std::string> layers;  // directories, base first
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // without HOME, which the image's /etc/passwd decides
  std::string working_directory;
  std::string user;  // "" is root; resolved in the image when started
  bool is_readonly_root = false;
  // What the image wants to be writable whatever the root is: image_volumes.h.
  std::vector<std::string> volumes;
  std::vector<std::string> exposed_ports;  // the image's word, for people
  isolation::CapabilityMask capabilities = 0;
  bool allow_ptrace = false;
  ConfinementPlan confinement;
  std::vector<RlimitPlan> rlimits;
  LimitsPlan limits;
  bool essential = true;
  std::vector<DependsOn> depends_on;
  int stop_signal = 15;
  std::chrono::seconds stop_timeout{0};
  std::optional<std::chrono::seconds> start_timeout;
  bool keep_logs = true;
  std::string log_directory;  // absolute; made when needed
  Bytes log_limit;
  bool is_log_blocking = true;
  Bytes log_buffer;  // of the non-blocking mode
  bool operator==(const ContainerPlan&) const = default;
};

// What all containers together may write into their root file systems.
struct StoragePlan {
  Bytes limit;            // 0: none
  bool is_asked = false;  // by the definition; otherwise it is the default, kept where that is free
  bool operator==(const StoragePlan&) const = default;
};

struct PublishedPortPlan {
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  Protocol protocol = Protocol::kTcp;
  bool operator==(const PublishedPortPlan&) const = default;
};

struct TaskPlan {
  TaskId id;
  std::string family;
  int64_t created_at = 0;  // wall nanoseconds
  Roots roots;
  std::string cgroup;  // path below each hierarchy
  LimitsPlan limits;
  UserNamespacePlan user_namespace;
  StoragePlan storage;
  bool share_pids = false;
  NetworkMode network_mode = NetworkMode::kAwsvpc;
  std::vector<PublishedPortPlan> published_ports;
  std::string hostname;  // "": awsvpc derives it from the address, host keeps the host's
  std::vector<ContainerPlan> containers;
  std::vector<std::string> warnings;

  explicit TaskPlan(TaskId task_id) : id(std::move(task_id)) {}
  const ContainerPlan* Find(std::string_view name) const;
  // Whether a container may write into anything that ephemeral storage counts.
  bool HasWritableFiles() const;
};

// What of the machine a plan depends on.
struct HostFacts {
  uint64_t cpus = 1;
  Bytes memory;
  bool can_raise_limits = false;        // CAP_SYS_RESOURCE
  std::map<int, uint64_t> hard_limits;  // by RLIMIT_*
  uint64_t max_open_files = 0;          // fs.nr_open
};

struct PlannedImage {
  std::string id;  // digest of the configuration
  images::ImageConfig config;
  std::vector<std::string> layers;
};

struct PlanRequest {
  TaskId id;
  int64_t created_at = 0;
  Roots roots;
  std::map<std::string, PlannedImage> images;  // by the definition's image text
  std::vector<PublishedPortPlan> published_ports;
  HostFacts host;
  // By container: where its log goes instead of the task's directory. What lies there is not
  // removed with the task.
  std::map<std::string, std::string> log_directories;
  std::vector<std::string> warnings;  // known before planning: the plan's first
  IsolationOptions isolation;
};

Result<TaskPlan> MakePlan(const TaskDefinition& definition, const PlanRequest& request);

// "nofile" and its kin to RLIMIT_*; nullopt for an unknown name.
std::optional<int> RlimitByName(std::string_view name);
// "SIGTERM", "term", "15", "SIGRTMIN+3" or "RTMAX-2", as an image's StopSignal has it.
std::optional<int> SignalByName(std::string_view text);

std::string EncodePlan(const TaskPlan& plan);
Result<TaskPlan> DecodePlan(std::string_view text);

}  // namespace skiff::runtime
